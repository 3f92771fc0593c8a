"""The shop page and its forms. Each form becomes a request to the API, in the visitor's session.

After a change that was made or refused, the browser is redirected to the page, so that reloading
sends no form again (303, RFC 9110 §15.4.4). If the outcome is unknown, the answer is a page whose
button sends the same form again; it counts once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import parse_qsl

import msgspec
from msgspec.structs import replace

from ecart.errors import CatalogError, EcartError
from ecart.http import Request, Response
from ecart.http.guards import check_origin, check_size
from ecart.http.problems import Problem, problem_response
from ecart.http.views import CartView
from ecart.integrations.asgi_endpoint import CartEndpoint
from ecart.integrations.host import list_products
from ecart_server.pages.assets import IMMUTABLE
from ecart_server.pages.forms import FormFields, FormTokens
from ecart_server.pages.prefix import at
from ecart_server.shop.assets import shop_assets
from ecart_server.shop.flash import FlashMessage, FlashMessages
from ecart_server.shop.forms import FORMS, api_request, option_fields, options_in, read_form
from ecart_server.shop.pictures import picture_of
from ecart_server.shop.product_cards import ProductCards, product_cards
from ecart_server.shop.rendering import ShopPage, render_error, render_shop

AFTER_A_FORM = "/#cart"
LINES_AT_ONCE = 30
"""Up to so many the page is rendered in the event loop, in some milliseconds; else in a thread."""
_FOREIGN_FORM = "this form is not of a page of this session"
_OF_A_BROWSER = ("sec-fetch-site", "user-agent")
_TEXT_BY_CODE = {"version_conflict": "The cart has changed meanwhile; please look again."}


class ShopPages:
    """The shop page and its forms, in front of the endpoint that serves the API."""

    def __init__(self, endpoint: CartEndpoint, secrets: Sequence[str]) -> None:
        self._endpoint = endpoint
        self._tokens = FormTokens(secrets, "ecart.form")
        self._messages = FlashMessages(secrets, endpoint.host.settings.cookie)

    async def front(self, request: Request, query: str) -> Response:
        """The shop page with the session's cart. For a new session nothing is stored yet."""
        sender = {k: v for k, v in request.headers.items() if k in _OF_A_BROWSER}
        answer = await self._endpoint.host.answer(
            replace(request, method="GET", path="/cart", headers=sender)
        )
        if answer.status == 429:
            problem = msgspec.json.decode(answer.body, type=Problem)
            refusal = render_error(429, "Too much at once", _sentence(problem.detail))
            return replace(refusal, headers={**answer.headers, **refusal.headers})
        cart = msgspec.json.decode(answer.body, type=CartView) if answer.status == 200 else None
        products, is_catalog_away = await self._products(query)
        message = self._messages.read(request)
        page = ShopPage(
            token=self._tokens.token_for((answer.keep_session or request.session).cart_id),
            cart=cart,
            etag=answer.headers.get("ETag", ""),
            products=products,
            is_catalog_away=is_catalog_away,
            message=message,
            now=datetime.now(UTC),
        )
        is_large = cart is not None and len(cart.items) > LINES_AT_ONCE
        rendered = await asyncio.to_thread(render_shop, page) if is_large else render_shop(page)
        response = replace(rendered, keep_session=answer.keep_session)
        if message:
            return _with_cookie(response, self._messages.clear_cookie(request))
        look = answer.headers.get("Set-Cookie")
        return _with_cookie(response, look) if look else response

    async def form(self, request: Request) -> Response:
        """Makes the change that a form asks for, and redirects to the page."""
        try:
            check_size(request, self._endpoint.host.settings.body_limit)
            check_origin(request, self._endpoint.host.settings.trusted_origins)
            fields = read_form(request)
            self._tokens.check(fields, request.session.cart_id, detail=_FOREIGN_FORM)
        except EcartError as error:
            return _refusal_page(error)
        call = FORMS[request.path](fields)
        answer = await self._endpoint.host.answer(api_request(call, fields, request))
        if answer.status >= 500:
            return render_error(answer.status, *_OUTCOME_UNKNOWN, request.path, fields)
        redirect = self._redirect(request, fields, answer)
        return replace(redirect, keep_session=answer.keep_session)

    def _redirect(self, request: Request, fields: FormFields, answer: Response) -> Response:
        response = Response(
            status=303, headers={"Location": at(AFTER_A_FORM), "Cache-Control": "no-store"}
        )
        if answer.status != 200:
            problem = msgspec.json.decode(answer.body, type=Problem)
            message = FlashMessage(_TEXT_BY_CODE.get(problem.code) or _sentence(problem.detail))
        elif request.path == "/shop/remove":
            undo = {
                "sku": fields.get("sku", ""),
                "quantity": fields.get("quantity", ""),
                **option_fields(options_in(fields)),
            }
            message = FlashMessage(f"{fields.get('title', '')} is out of the cart.", undo)
        else:
            return response
        return _with_cookie(response, self._messages.set_cookie(message, request))

    async def _products(self, query: str) -> tuple[ProductCards | None, bool]:
        """The products to show, if the catalog can list them; and whether it cannot be read now."""
        try:
            host = self._endpoint.host
            products = await list_products(host.catalog, host.settings.rules.currency)
        except CatalogError:
            return None, True
        if products is None:
            return None, False
        text = _parse_query(query).get("page", "1")
        number = int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else 1
        return product_cards(products, number, shop_assets().version), False


def picture(request: Request, query: str) -> Response:
    """The SVG picture of the SKU in the query; cacheable for ever if `v` is this version."""
    parameters = _parse_query(query)
    is_current = parameters.get("v") == shop_assets().version
    return Response(
        status=200,
        headers={
            "Content-Type": "image/svg+xml",
            "Cache-Control": IMMUTABLE if is_current else "no-cache",
            "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        },
        body=picture_of(parameters.get("sku", "")),
    )


def _sentence(text: str) -> str:
    """The detail of a problem as a sentence: with a capital letter and a full stop."""
    return f"{text[:1].upper()}{text[1:]}."


def _with_cookie(response: Response, set_cookie: str) -> Response:
    return replace(response, headers={**response.headers, "Set-Cookie": set_cookie})


def _parse_query(query: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(query, max_num_fields=16))
    except ValueError:
        return {}


def _refusal_page(error: EcartError) -> Response:
    status = problem_response(error).status
    if status != 403:
        return render_error(status, "This did not work", _sentence(str(error)))
    return render_error(
        status,
        "This form is out of date",
        "It was not made for the session that your browser keeps now, so nothing was changed. "
        "Go back to the shop and press again. If that does not help: does your browser keep "
        "cookies for this site?",
    )


_OUTCOME_UNKNOWN = (
    "Your cart is out of reach for a moment",
    "Nothing in it is lost. Try again in a moment: what you pressed counts once, however often it "
    "is sent.",
)
"""Title and text of the page that offers to send a form again."""
