"""The keys under which a framework's own configuration holds the settings of the cart.

Flask has `ECART_TTL`, Django `ECART["TTL"]`. A key is the name of a field of `HttpSettings`, or of
its `Rules`, in capitals; so a new field is a new key of both. `_OTHER_NAMES` has the few whose key
is another word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_origin

import msgspec
from msgspec.structs import FieldInfo, fields

from ecart.http import HttpSettings
from ecart.operations import Rules, Ttl, ttl_milliseconds

_OTHER_NAMES = {
    "ttl_ms": "TTL",
    "hold_seconds": "HOLD",
    "first_ttl_seconds": "FIRST_TTL",
    "user_session_seconds": "USER_SESSION",
}
# A timedelta, too; and a text where keys are wanted: HttpSettings refuses it, with the reason.
_OTHER_TYPES: dict[str, Any] = {"ttl_ms": Ttl, "office_keys": tuple[str, ...] | str}


class Key(msgspec.Struct, frozen=True):
    """The field that a key fills, the type of what is given, and what makes the value of it."""

    field: str
    accepts: Any
    convert: Callable[[Any], Any]


def _key_of(field: FieldInfo) -> Key:
    accepts = _OTHER_TYPES.get(field.name, field.type)
    if field.name == "ttl_ms":
        return Key(field.name, accepts, ttl_milliseconds)
    collection = get_origin(field.type)
    # A list in a configuration is a tuple or a set in the settings, which are frozen.
    convert = collection if collection in (tuple, frozenset) else lambda value: value
    return Key(field.name, accepts, convert)


def _keys_of(kind: type[msgspec.Struct]) -> dict[str, Key]:
    return {
        _OTHER_NAMES.get(field.name, field.name.upper()): _key_of(field)
        for field in fields(kind)
        if field.name not in ("rules", "cookie")  # the session is the framework's
    }


_RULES, _HTTP = _keys_of(Rules), _keys_of(HttpSettings)

KEYS: Mapping[str, Key] = {**_RULES, **_HTTP}
"""Every key, without a framework's prefix, in the order of the fields."""


def settings_from(given: Mapping[str, Any], *, accept_unknown_skus: bool) -> HttpSettings:
    """The settings of the given keys; a key that is left out has the default of its field.

    `accept_unknown_skus` is the default of that one, which depends on the catalog.

    Raises:
        ValueError: a value that cannot work, such as a back-office key that can be guessed.
        TypeError: a value of another type than the field's.
    """
    rules, http = (
        {key.field: key.convert(given[name]) for name, key in keys.items() if name in given}
        for keys in (_RULES, _HTTP)
    )
    return HttpSettings(
        **{"accept_unknown_skus": accept_unknown_skus, "rules": Rules(**rules), **http}
    )
