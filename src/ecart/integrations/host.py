"""The cart of one app: its HTTP API on a store and a catalog. Each integration makes one `Host`.

A framework asks four things of it: which paths are the cart's (`handles`), the response to a
request (`answer`), the cart of a session for the app's own views (`cart`), and the merge at a
log-in (`sign_in`). All else of an integration is the framework's: how a request becomes a
`Request`, and how a session keeps a cart id.

`Host` is for frameworks that block and `AsyncHost` for asyncio. They differ only in how the steps
of the API's flows are done; what an app can be given is declared once, for both. They know no
framework.
"""

from __future__ import annotations

import asyncio
import inspect
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, TypeVar, overload

from msgspec.structs import replace

from ecart import http
from ecart.cart import AsyncCart, Cart
from ecart.catalog import Catalog, ListedCatalog, Product, Products, as_catalog
from ecart.errors import CatalogError, SessionEndedError
from ecart.flows import Perform, Quote
from ecart.http import Api, HttpSettings, Request, Response, Session, SignIn, Tokens
from ecart.http.rate_gate import Gate
from ecart.operations import Change, Operation, absent_cart
from ecart.store import AsyncStore, Store, run, run_async, steps_on
from ecart.stores import redis as redis_stores
from ecart.stores.redis import Client

AnyStore = TypeVar("AnyStore")
Target = TypeVar("Target")
Result = TypeVar("Result")


class _BaseHost(ABC, Generic[AnyStore, Target]):
    """What a host consists of, whichever way its flows are run."""

    def __init__(
        self,
        store: Target,
        *,
        tokens: Tokens,
        catalog: Any = None,
        settings: HttpSettings | None = None,
        standalone: bool = False,
        gate: Gate | None = None,
    ) -> None:
        self.settings = settings or HttpSettings(accept_unknown_skus=catalog is None)
        self.api = Api(self.settings, tokens, standalone=standalone, gate=gate)
        self.catalog: Catalog = as_catalog(catalog, self.settings.rules.currency)
        self._opened: Any = None
        self.store = self._store_for(store)

    @abstractmethod
    def _store_for(self, target: Target) -> AnyStore:
        """The store that an app passed, or one of its client or URL."""

    def handles(self, path: str) -> bool:
        """Whether a path, below any mount, is answered by the API and by no other app."""
        if path.startswith("/carts/"):
            return bool(self.settings.office_keys)
        return path == "/cart" or path.startswith("/cart/")


class Host(_BaseHost[Store, Store | Client | str]):
    """The cart of an app that blocks. Make one per app, and share it between its threads.

    `store` is a store, a Redis client or a URL; what a URL opens, `close` closes. `tokens` signs
    and reads the `Cart-Token` of clients without cookies. `catalog` is a catalog, a function, a
    file's path, a database's URL, or None for the sample, with which unknown SKUs are accepted
    unless `settings` has another choice. A `standalone` host answers the health and documentation
    routes, too. A `gate` limits rates.

    Raises:
        TypeError: an asyncio store or client.
        InvalidUrlError: a URL of an unknown scheme.
        CatalogError: a URL that no database can be opened by.
    """

    def _store_for(self, target: Store | Client | str) -> Store:
        if isinstance(target, str):
            self._opened = redis_stores.RedisStore(target)
            return self._opened  # type: ignore[no-any-return]
        return redis_stores.store_for(target)

    def answer(self, request: Request) -> Response:
        """The response of the HTTP API; whatever goes wrong is a problem document."""
        return run(self.api.handle(request), self._do)

    def _do(self, step: Perform | Quote) -> Any:
        if isinstance(step, Perform):
            return self.store.execute(step.cart_id, step.operation)
        return _checked(lambda: self.catalog.lookup(step.skus), self.settings.rules.currency)

    def cart(self, session: Session | str, forget: Callable[[], object] = bool) -> Cart:
        """The cart of a session, or of a cart id, under the rules of the settings.

        Where a log-out has ended the session, the cart reads as empty and changes are refused with
        `SessionEndedError`; `forget` is called, which has the client forget the session.
        """
        session = _as_session(session)
        store = _SessionStore(self.store, session.id, forget) if session.id else self.store
        return Cart(session.cart_id, store, rules=self.settings.rules)

    def sign_in(self, session: Session | str | None, user_id: str | int) -> SignIn:
        """Merges the cart that a session holds into the user's, once, by the settings' policy.

        `session` may be a cart id alone, of a framework that ends sessions itself. The client is
        to keep the `session` of the result, or its `cart_id`.

        Raises:
            InvalidCartIdError: `user_id` is not an int, or text of 1 to 251 characters.
            StoreError: the engine failed; the session is to stay as it is.
        """
        flow = http.sign_in(_as_session(session), user_id, self.settings)
        return run(flow, steps_on(self.store))

    def sign_out(self, session: Session) -> None:
        """Ends a user's session, in whatever process its token is shown from now on.

        Raises:
            StoreError: the engine failed; the session goes on.
        """
        run(http.sign_out(session, self.settings), steps_on(self.store))

    def close(self) -> None:
        """Closes what a URL opened; it is opened again at the next use."""
        if self._opened is not None:
            self._opened.close()


class AsyncHost(_BaseHost[AsyncStore, AsyncStore | Client | str]):
    """`Host` for asyncio: it takes asyncio stores and clients, and its catalog may be `async`.

    A catalog that may block is looked up in a thread.
    """

    def _store_for(self, target: AsyncStore | Client | str) -> AsyncStore:
        if isinstance(target, str):
            self._opened = redis_stores.AsyncRedisStore(target)
            return self._opened  # type: ignore[no-any-return]
        return redis_stores.async_store_for(target)

    def answer(self, request: Request) -> Awaitable[Response]:
        """As `Host.answer`."""
        return run_async(self.api.handle(request), self._do)

    def _do(self, step: Perform | Quote) -> Awaitable[Any]:
        if isinstance(step, Perform):
            return self.store.execute(step.cart_id, step.operation)
        return _looked_up(self.catalog, step.skus, self.settings.rules.currency)

    def cart(self, session: Session | str, forget: Callable[[], object] = bool) -> AsyncCart:
        """As `Host.cart`."""
        session = _as_session(session)
        store = _AsyncSessionStore(self.store, session.id, forget) if session.id else self.store
        return AsyncCart(session.cart_id, store, rules=self.settings.rules)

    async def sign_in(self, session: Session | str | None, user_id: str | int) -> SignIn:
        """As `Host.sign_in`."""
        flow = http.sign_in(_as_session(session), user_id, self.settings)
        return await run_async(flow, steps_on(self.store))

    async def sign_out(self, session: Session) -> None:
        """As `Host.sign_out`."""
        await run_async(http.sign_out(session, self.settings), steps_on(self.store))

    async def close(self) -> None:
        """Closes what a URL opened, in this event loop."""
        if self._opened is not None:
            await self._opened.close()


@overload
def _as_session(session: Session | str) -> Session: ...
@overload
def _as_session(session: None) -> None: ...
@overload
def _as_session(session: Session | str | None) -> Session | None: ...
def _as_session(session: Session | str | None) -> Session | None:
    return Session(session) if isinstance(session, str) else session


class _BaseSessionStore(Generic[AnyStore]):
    """A store whose operations on a cart are those of a user's session."""

    def __init__(self, store: AnyStore, session_id: str, forget: Callable[[], object]) -> None:
        self._store = store
        self._session_id = session_id
        self._forget = forget

    def _read_after_log_out(self, cart_id: str, operation: Operation[Result]) -> Result:
        """The result of a read in a session that has ended; a change is refused."""
        self._forget()
        if isinstance(operation, Change):
            raise SessionEndedError
        return operation.apply(absent_cart(cart_id, operation.rules.currency), 0)[1]


class _SessionStore(_BaseSessionStore[Store]):
    def execute(self, cart_id: str, operation: Operation[Result], /) -> Result:
        operation = replace(operation, session_id=self._session_id)
        try:
            return self._store.execute(cart_id, operation)
        except SessionEndedError:
            return self._read_after_log_out(cart_id, operation)


class _AsyncSessionStore(_BaseSessionStore[AsyncStore]):
    async def execute(self, cart_id: str, operation: Operation[Result], /) -> Result:
        operation = replace(operation, session_id=self._session_id)
        try:
            return await self._store.execute(cart_id, operation)
        except SessionEndedError:
            return self._read_after_log_out(cart_id, operation)


async def list_products(catalog: Catalog, currency: str) -> tuple[Product, ...] | None:
    """All products of the catalog; None from a catalog that cannot list them.

    Those without a currency get this one.

    Raises:
        CatalogError: it cannot be read, or what it returned are no products.
    """
    if not isinstance(catalog, ListedCatalog):
        return None
    try:
        if getattr(catalog, "in_memory", False):
            listed = catalog.products()
        else:
            listed = await asyncio.to_thread(catalog.products)
        products = await listed if inspect.isawaitable(listed) else listed
        by_sku = _checked(lambda: {product.sku: product for product in products}, currency)
        return tuple(by_sku.values())
    except Exception as error:
        raise _as_catalog_error(error) from error


async def _looked_up(catalog: Catalog, skus: tuple[str, ...], currency: str) -> Products:
    if getattr(catalog, "in_memory", False):
        return _checked(lambda: catalog.lookup(skus), currency)
    try:
        found = await asyncio.to_thread(catalog.lookup, skus)
        products = await found if inspect.isawaitable(found) else found
    except Exception as error:
        raise _as_catalog_error(error) from error
    return _checked(lambda: products, currency)


def _checked(look_up: Callable[[], Any], currency: str) -> Products:
    """What a catalog returned, if it is products; whatever else it did is a `CatalogError`.

    Products without a currency get this one.
    """
    try:
        products = look_up()
    except Exception as error:
        raise _as_catalog_error(error) from error
    if type(products) is not dict and not isinstance(products, Mapping):
        raise CatalogError("the catalog answered with something that is no mapping")
    for sku, product in products.items():
        if not isinstance(product, Product):
            raise CatalogError(
                f"the catalog answered for {sku!r} with something that is no Product"
            )
    if all(product.currency for product in products.values()):
        return products
    return {
        sku: product if product.currency else replace(product, currency=currency)
        for sku, product in products.items()
    }


def _as_catalog_error(error: Exception) -> CatalogError:
    return error if isinstance(error, CatalogError) else CatalogError(repr(error))
