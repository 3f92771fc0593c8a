"""The checks of the cart for `manage.py check`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from ecart.errors import EcartError
from ecart.integrations.django.middleware import CartMiddleware
from ecart.integrations.django.state import host
from ecart.operations import GetSummary


def check_setting(**_: Any) -> list[CheckMessage]:
    """Whether `ECART` can be used as it is."""
    try:
        host()
    except ImproperlyConfigured as error:
        return [Error(str(error), id="ecart.E001")]
    return []


def check_middleware(**_: Any) -> list[CheckMessage]:
    """Whether `CartMiddleware` is there, after `SessionMiddleware`."""
    cart, session = _index_of(CartMiddleware), _index_of(SessionMiddleware)
    if cart is None:
        hint = "Without it there is no request.cart; use cart_from(request)."
        return [Warning("CartMiddleware is not in MIDDLEWARE.", hint=hint, id="ecart.W001")]
    if session is None or cart < session:
        text = "CartMiddleware comes after SessionMiddleware in MIDDLEWARE."
        return [Error(text, id="ecart.E002")]
    return []


def check_engine(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Whether the engine answers. Like Django's own database checks, only with `--database`."""
    if databases is None:
        return []
    try:
        here = host()
        here.store.execute("readyz", GetSummary(rules=here.settings.rules))
    except ImproperlyConfigured:
        return []  # which is E001
    except EcartError as error:
        return [Warning(f"The carts cannot be reached: {error}", id="ecart.W002")]
    return []


def _index_of(kind: type) -> int | None:
    for index, name in enumerate(settings.MIDDLEWARE):
        found = import_string(name)
        if isinstance(found, type) and issubclass(found, kind):
            return index
    return None
