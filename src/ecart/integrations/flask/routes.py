"""The routes of the cart as those of a blueprint, and how their requests are answered.

Every path and every method below `/cart` is answered by the HTTP API, errors included. Flask adds
rules by their methods, so these are added to its URL map directly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flask
from flask.sansio.blueprints import BlueprintSetupState
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.routing import BaseConverter

from ecart.http import Request, Response, declares_oversized_body, session_of
from ecart.integrations.flask.state import host_of
from ecart.integrations.mapped_session import read_session, write_session


def add_routes(state: BlueprintSetupState) -> None:
    """Adds the routes to the URL map of the app in which the blueprint is registered."""
    app: Any = state.app
    app.url_map.converters["ecart_rest"] = _RestOfPath
    _add(state, "/cart", "cart", cart_itself)
    _add(state, "/cart/<ecart_rest:rest>", "below_cart", below_cart)
    if host_of(app).settings.office_keys:
        _add(state, "/carts/<ecart_rest:rest>", "back_office", back_office)


def _add(
    state: BlueprintSetupState, rule: str, name: str, view: Callable[..., flask.Response]
) -> None:
    # As state.add_url_rule does; but that needs the methods, and the API answers any.
    endpoint = f"{state.name_prefix}.{state.name}.{name}".lstrip(".")
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


class _RestOfPath(BaseConverter):
    """The rest of a path, also an empty one, or one with slashes and line ends."""

    regex = r"[\s\S]*"
    part_isolating = False


# The parts of a prefix such as /<shop> are for the app's own functions.


def cart_itself(**of_prefix: Any) -> flask.Response:
    """`/cart` itself."""
    return _answer("/cart")


def below_cart(rest: str, **of_prefix: Any) -> flask.Response:
    """The other routes of a shopper."""
    return _answer(f"/cart/{rest}")


def back_office(rest: str, **of_prefix: Any) -> flask.Response:
    """The routes of the back office."""
    return _answer(f"/carts/{rest}")


def _answer(path: str) -> flask.Response:
    app = flask.current_app
    host = host_of(app)
    if not app.secret_key:
        raise RuntimeError("the session holds the cart: set app.secret_key")
    response = host.answer(_request(path, host.settings.body_limit))
    if response.keep_session:
        write_session(flask.session, response.keep_session)
    return _to_flask(response)


def _request(path: str, body_limit: int) -> Request:
    request = flask.request
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        is_oversized = declares_oversized_body(headers, body_limit)
        body = b"" if is_oversized else request.stream.read(body_limit + 1)
    except RequestEntityTooLarge:  # the app's own, lower limit
        body = bytes(body_limit + 1)
    return Request(
        method=request.method,
        path=path,
        headers=headers,
        body=body,
        session=read_session(flask.session) or session_of(None),
        is_secure=request.is_secure,
    )


def _to_flask(response: Response) -> flask.Response:
    made = flask.Response(response.body, response.status)
    made.headers.clear()
    for name, value in response.headers.items():
        made.headers[name] = value
    return made
