"""The host of an app's cart: what an integration asks of it, without any framework."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ecart import AsyncMemoryStore, MemoryStore, Rules
from ecart.http import HttpSettings, Request, Session, session_of
from ecart.integrations.host import AsyncHost, Host
from ecart.tokens import SignedTokens

TOKENS = SignedTokens(["a secret of the tests"])
KEYS = HttpSettings(office_keys=("a key of the back office",))
ADD = {"content-type": "application/json"}


def adding(session: Session) -> Request:
    return Request(
        method="POST", path="/cart/items", headers=ADD, body=b'{"sku":"apple"}', session=session
    )


@pytest.mark.parametrize(
    ("path", "without_keys", "with_keys"),
    [
        ("/cart", True, True),
        ("/cart/", True, True),
        ("/cart/items/a\nb", True, True),
        ("/carts/7", False, True),
        ("/carts", False, False),
        ("/cartoons", False, False),
        ("/", False, False),
        ("", False, False),
    ],
)
def test_which_paths_are_the_carts(path: str, without_keys: bool, with_keys: bool) -> None:
    """All below `/cart`; below `/carts` only where a key opens the back office."""
    store = MemoryStore()

    assert Host(store, tokens=TOKENS).handles(path) is without_keys
    assert Host(store, tokens=TOKENS, settings=KEYS).handles(path) is with_keys


def test_an_answer_a_cart_and_a_log_in() -> None:
    """The routes and the app's own views have one cart, which a log-in merges into the user's."""
    host = Host(MemoryStore(), tokens=TOKENS, settings=HttpSettings(rules=Rules(currency="EUR")))

    response = host.answer(adding(session_of(None)))
    assert (response.status, response.keep_session is not None) == (200, True)
    cart_id = response.keep_session.cart_id if response.keep_session else ""
    signed_in = host.sign_in(cart_id, 42)

    assert (signed_in.cart_id, signed_in.report.added) == ("user.42", 1)
    assert host.cart("user.42").get().currency == "EUR"
    assert host.cart("user.42").contains("apple")
    host.close()  # closes nothing of what it was given
    assert host.cart("user.42").contains("apple")


def test_the_same_for_asyncio() -> None:
    """With an asyncio store, and a catalog that is awaited."""

    async def look_up(skus: Any) -> Any:
        await asyncio.sleep(0)
        return {}

    async def use() -> tuple[int, str, int]:
        settings = HttpSettings(accept_unknown_skus=True)
        host = AsyncHost(AsyncMemoryStore(), tokens=TOKENS, catalog=look_up, settings=settings)
        response = await host.answer(adding(Session("visitor")))
        signed_in = await host.sign_in("visitor", 42)
        summary = await host.cart(signed_in.cart_id).summary()
        await host.close()
        return response.status, signed_in.cart_id, summary.total_quantity

    assert asyncio.run(use()) == (200, "user.42", 1)


@pytest.mark.parametrize(
    ("kind", "store"),
    [(Host, AsyncMemoryStore()), (AsyncHost, MemoryStore())],
    ids=["sync", "async"],
)
def test_a_store_of_the_other_colour(kind: Any, store: Any) -> None:
    """Refused when the host is made: it would block the event loop, or could not be awaited."""
    with pytest.raises(TypeError, match="is not"):
        kind(store, tokens=TOKENS)


def test_unknown_skus_with_the_sample_and_with_a_catalog() -> None:
    """Accepted with the sample alone, where the settings do not say otherwise."""
    sample = Host(MemoryStore(), tokens=TOKENS)
    own = Host(MemoryStore(), tokens=TOKENS, catalog=lambda skus: {})

    assert sample.answer(adding(Session("a"))).status == 200
    assert own.answer(adding(Session("a"))).status == 422
