"""The routes of the cart as a blueprint's, and the way of a request through the contract.

Every path and every method below `/cart` is answered here: a refusal is the contract's, in its own
words. Flask adds rules by their methods, so these are put on its map directly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flask
from flask.sansio.blueprints import BlueprintSetupState
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.routing import BaseConverter

from ecart.http import Request, Response, is_told_too_long, session_of
from ecart.integrations.flask.state import host_of
from ecart.integrations.flask.visitors import SESSION_KEY, kept_cart_id


def record_routes(state: BlueprintSetupState) -> None:
    """Puts the routes on the map of the app where the blueprint is registered."""
    app: Any = state.app
    app.url_map.converters["ecart_rest"] = _Rest
    _add(state, "/cart", cart)
    _add(state, "/cart/<ecart_rest:rest>", below_cart)
    if host_of(app).settings.office_keys:
        _add(state, "/carts/<ecart_rest:rest>", office)


def _add(state: BlueprintSetupState, rule: str, view: Callable[..., flask.Response]) -> None:
    # As state.add_url_rule does, which wants methods named: the refusal of any other is ours.
    endpoint = f"{state.name_prefix}.{state.name}.{view.__name__}".lstrip(".")
    state.app.view_functions[endpoint] = view
    state.app.url_map.add(
        state.app.url_rule_class(
            (state.url_prefix or "").rstrip("/") + rule,
            endpoint=endpoint,
            defaults=state.url_defaults,
            subdomain=state.subdomain,
            merge_slashes=False,
        )
    )


class _Rest(BaseConverter):
    """All that follows in a path, also nothing, slashes and line ends."""

    regex = r"[\s\S]*"
    part_isolating = False


# What a prefix such as /<shop> names is for the app's own functions.


def cart(**of_prefix: Any) -> flask.Response:
    """`/cart` itself."""
    return _answered("/cart")


def below_cart(rest: str, **of_prefix: Any) -> flask.Response:
    """The other routes of a shopper."""
    return _answered(f"/cart/{rest}")


def office(rest: str, **of_prefix: Any) -> flask.Response:
    """The back office."""
    return _answered(f"/carts/{rest}")


def _answered(path: str) -> flask.Response:
    app = flask.current_app
    host = host_of(app)
    if not app.secret_key:
        raise RuntimeError("the cart is kept by session: set app.secret_key")
    response = host.answer(_request(path, host.settings.body_limit))
    if response.keep_session:
        flask.session[SESSION_KEY] = response.keep_session.cart_id
    return _response(response)


def _request(path: str, body_limit: int) -> Request:
    request = flask.request
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        told = is_told_too_long(headers, body_limit)
        body = b"" if told else request.stream.read(body_limit + 1)
    except RequestEntityTooLarge:  # the app's own, lower limit
        body = bytes(body_limit + 1)
    return Request(
        method=request.method,
        path=path,
        headers=headers,
        body=body,
        session=session_of(kept_cart_id()),
    )


def _response(response: Response) -> flask.Response:
    answer = flask.Response(response.body, response.status)
    answer.headers.clear()
    for name, value in response.headers.items():
        answer.headers[name] = value
    return answer
