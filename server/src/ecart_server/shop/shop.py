"""The shop page and its forms: each asks the API, in the session of the visitor.

After a change that is done, or refused, the browser is sent to the page (RFC 9110 §15.4.4). Where
nothing is known of a change, the answer has a button that sends the same change again.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qsl

import msgspec
from msgspec.structs import replace

from ecart.errors import CatalogError, EcartError
from ecart.http import Request, Response
from ecart.http.guards import check_origin, check_size
from ecart.http.problems import Problem, problem_response
from ecart.http.views import CartView
from ecart.integrations.asgi_endpoint import CartEndpoint
from ecart.integrations.runner import list_products
from ecart_server.pages.assets import IMMUTABLE
from ecart_server.pages.forms import Fields, FormTokens
from ecart_server.shop.assets import shop_assets
from ecart_server.shop.flash import Note, Notes
from ecart_server.shop.forms import (
    FORMS,
    api_request,
    option_fields,
    options_in,
    read_form,
)
from ecart_server.shop.pages import Page, now, refusal_page, shop_page
from ecart_server.shop.pictures import picture_of
from ecart_server.shop.product_cards import Shelf, shelf_of

_FOREIGN_FORM = "this form is not of a page of this session"
AFTER_A_FORM = "/#cart"
_OF_CODE = {"version_conflict": "The cart has changed meanwhile; please look again."}


class ShopPages:
    """The page, its forms and pictures, in front of an endpoint whose API they ask."""

    def __init__(self, endpoint: CartEndpoint, secrets: Sequence[str]) -> None:
        self._endpoint = endpoint
        self._tokens = FormTokens(secrets, "ecart.form")
        self._notes = Notes(secrets)

    async def front(self, request: Request, query: str, cookies: str) -> Response:
        """The shop page with the cart of the session. A new one is begun, and nothing written."""
        asked = Request(
            method="GET", path="/cart", session=request.session, address=request.address
        )
        answer = await self._endpoint.ask(asked)
        cart = msgspec.json.decode(answer.body, type=CartView) if answer.status == 200 else None
        shelf, is_catalog_away = await self._shelf(query)
        note = self._notes.read(cookies)
        page = Page(
            token=self._tokens.token_for((answer.keep_session or request.session).cart_id),
            cart=cart,
            etag=answer.headers.get("ETag", ""),
            shelf=shelf,
            is_catalog_away=is_catalog_away,
            note=note,
            now=now(),
        )
        response = replace(shop_page(page), keep_session=answer.keep_session)
        return _with(response, "Set-Cookie", self._notes.dropped()) if note else response

    async def form(self, request: Request) -> Response:
        """Does what a form asks for, and sends the browser to the page."""
        try:
            check_size(request, self._endpoint.settings.body_limit)
            check_origin(request, self._endpoint.settings.trusted_origins)
            fields = read_form(request)
            self._tokens.check(fields, request.session.cart_id, detail=_FOREIGN_FORM)
        except EcartError as error:
            return _refused(error)
        call = FORMS[request.path](fields)
        answer = await self._endpoint.ask(api_request(call, fields, request))
        if answer.status >= 500:
            return _unknown(answer, request.path, fields)
        return replace(self._done(request.path, fields, answer), keep_session=answer.keep_session)

    def _done(self, path: str, fields: Fields, answer: Response) -> Response:
        response = Response(
            status=303, headers={"Location": AFTER_A_FORM, "Cache-Control": "no-store"}
        )
        note = None
        if answer.status != 200:
            problem = msgspec.json.decode(answer.body, type=Problem)
            note = Note(_OF_CODE.get(problem.code) or sentence(problem.detail))
        elif path == "/shop/remove":
            note = Note(f"{fields.get('title', '')} is out of the cart.", _undo(fields))
        return _with(response, "Set-Cookie", self._notes.kept(note)) if note else response

    async def _shelf(self, query: str) -> tuple[Shelf | None, bool]:
        """The products that the page shows, and whether they cannot be read now."""
        try:
            products = await list_products(self._endpoint.catalog)
        except CatalogError:
            return None, True
        if products is None:
            return None, False
        return shelf_of(products, _page_number(query), shop_assets().version), False


def picture(request: Request, query: str) -> Response:
    """The picture of a SKU, drawn."""
    asked = _read_query(query)
    is_ours = asked.get("v") == shop_assets().version
    return Response(
        status=200,
        headers={
            "Content-Type": "image/svg+xml",
            "Cache-Control": IMMUTABLE if is_ours else "no-cache",
            "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
            "X-Content-Type-Options": "nosniff",
        },
        body=picture_of(asked.get("sku", "")),
    )


def sentence(text: str) -> str:
    """The API's words as a sentence for people."""
    return f"{text[:1].upper()}{text[1:]}."


def _with(response: Response, name: str, value: str) -> Response:
    return replace(response, headers={**response.headers, name: value})


def _undo(fields: Fields) -> dict[str, str]:
    named = {name: fields.get(name, "") for name in ("sku", "quantity")}
    return {**named, **option_fields(options_in(fields))}


def _read_query(query: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(query, max_num_fields=16))
    except ValueError:
        return {}


def _page_number(query: str) -> int:
    text = _read_query(query).get("page", "1")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else 1


def _refused(error: EcartError) -> Response:
    status = problem_response(error).status
    if status != 403:
        return refusal_page(status, "This did not work", sentence(str(error)))
    return refusal_page(
        status,
        "This form is out of date",
        "It was not made for the session that your browser keeps now, so nothing was changed. "
        "Go back to the shop and press again. If that does not help: does your browser keep "
        "cookies for this site?",
    )


def _unknown(answer: Response, path: str, fields: Fields) -> Response:
    return refusal_page(
        answer.status,
        "Your cart is out of reach for a moment",
        "Nothing in it is lost. Try again in a moment: what you pressed counts once, however "
        "often it is sent.",
        path,
        fields,
    )
