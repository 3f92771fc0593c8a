"""What the arguments of operations must be: checked, and put into their one canonical form."""

from __future__ import annotations

import hashlib
import json
import os
import re
from binascii import b2a_base64
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal

from ecart.errors import (
    InvalidDetailsError,
    InvalidLineIdError,
    InvalidOperationIdError,
    InvalidOptionsError,
    InvalidQuantityError,
    InvalidTitleError,
    InvalidTtlError,
    InvalidVersionError,
    QuantityLimitExceededError,
)
from ecart.model import Details, LineItem, Options, canonical_json, has_only_characters
from ecart.money import MAX_UNITS

_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_TOKEN = re.compile(r"[\w-]{1,64}", re.ASCII)
_STATE = re.compile(r"[\w-]*\.\d{1,16}\.[\w-]*", re.ASCII)
_NUMBERED = re.compile(r"(~[\w-]{11}\.(?:0|[1-9]\d{0,8}))\.([1-9]\d{0,14})", re.ASCII)

YEAR = 365 * 24 * 3600

Ttl = int | timedelta | None
Version = int | str
"""A version number, or the `etag` of a snapshot, which is exact also across expiry."""


def ttl_milliseconds(ttl: Ttl) -> int:
    """A time to live in milliseconds; 0 for never (`None`).

    Raises:
        InvalidTtlError: not whole seconds or a `timedelta` from 1 second to 365 days.
    """
    if ttl is None:
        return 0
    seconds = ttl.total_seconds() if isinstance(ttl, timedelta) else ttl
    if isinstance(ttl, bool) or not isinstance(seconds, (int, float)) or not 1 <= seconds <= YEAR:
        raise InvalidTtlError("a ttl is 1 second to 365 days, or None for never")
    if isinstance(ttl, float):
        raise InvalidTtlError("a ttl is whole seconds; use a timedelta for fractions")
    return round(seconds * 1000)


def check_quantity(
    quantity: object, *, at_least: int, limit: int, may_be_price: bool = False
) -> int:
    """`quantity` if a line can have it.

    With `may_be_price`, the refusal of a `str`, `Decimal` or `float` names the argument that
    takes a price.

    Raises:
        InvalidQuantityError: not an `int`, or below `at_least`.
        QuantityLimitExceededError: above `limit`.
    """
    if type(quantity) is not int or quantity < at_least:
        message = f"a quantity is a whole number, {at_least} or more"
        if may_be_price and isinstance(quantity, (str, Decimal, float)):
            message += "; a price is given as unit_price=..."
        raise InvalidQuantityError(message)
    if quantity > limit:
        raise QuantityLimitExceededError(limit)
    return quantity


def check_operation_id(operation_id: object) -> None:
    """Refuses what cannot name a change (`InvalidOperationIdError`)."""
    if not isinstance(operation_id, str) or not has_only_characters(operation_id, 1, 255):
        raise InvalidOperationIdError(
            "an operation id is 1 to 255 characters without control characters"
        )
    parse_operation_id(operation_id)


def parse_operation_id(operation_id: str) -> tuple[str, int]:
    """The name by which a change is remembered, and its number there.

    The name of `~<11 characters>.<lane>.<number>` is all but the number: a lane of this library,
    or, for lane 0, that of a client which numbers its changes itself. Any other id is a name of its
    own, and its number is 1.

    Raises:
        InvalidOperationIdError: it begins with ~ and has another form.
    """
    if not operation_id.startswith("~"):
        return operation_id, 1
    match = _NUMBERED.fullmatch(operation_id)
    if match is None:
        raise InvalidOperationIdError(
            "an operation id that begins with ~ is ~<11 characters>.0.<number>, numbered from 1"
        )
    return match[1], int(match[2])


def is_lane(name: str) -> bool:
    """Whether `parse_operation_id` named a lane of this library, not something of a caller's."""
    return name.startswith("~") and not name.endswith(".0")


def check_distinct(lines: Sequence[LineItem]) -> None:
    """Refuses lines of which two are one (`InvalidLineIdError`)."""
    if len({line.line_id for line in lines}) < len(lines):
        raise InvalidLineIdError("a line is given only once")


def check_token(token: object) -> None:
    """Refuses what is no name of ours for a merge or a check-out (`InvalidOperationIdError`)."""
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise InvalidOperationIdError("such an id is 1 to 64 of A-Z a-z 0-9 _ -")


def is_state(text: str) -> bool:
    """Whether a text has the form of `CartSummary.etag`: `<epoch>.<version>.<digest>`."""
    return len(text) < 256 and _STATE.fullmatch(text) is not None


def checked_versions(expected: tuple[Version, ...]) -> tuple[Version, ...]:
    """The versions and etags that a change expects; of an etag as a header has it, what is quoted.

    Raises:
        InvalidVersionError: a value that is no version of any cart, nor the etag of one.
    """
    return tuple(map(_checked_version, expected))


def _checked_version(version: object) -> Version:
    if type(version) is int and 0 <= version < MAX_UNITS:
        return version
    if isinstance(version, str):
        state = version.removeprefix("W/")
        if len(state) > 1 and state[0] == state[-1] == '"':
            state = state[1:-1]
        if is_state(state):
            return state
    raise InvalidVersionError(
        f"an expected version is a number, or the etag of a cart, not {version!r:.60}"
    )


def check_title(title: object) -> None:
    """Refuses what cannot be a title (`InvalidTitleError`)."""
    if not isinstance(title, str) or not has_only_characters(title, 0, 256):
        raise InvalidTitleError("a title is at most 256 characters without control characters")


def checked_options(options: object) -> Options:
    """The options, if a shopper can choose them (else `InvalidOptionsError`)."""
    if not isinstance(options, Mapping) or len(options) > 16:
        raise InvalidOptionsError("options are a mapping of at most 16 names")
    for name, value in options.items():
        if not isinstance(name, str) or not has_only_characters(name, 1, 64):
            raise InvalidOptionsError("an option's name is 1 to 64 characters")
        if not _is_option_value(value):
            raise InvalidOptionsError(f"option {name!r} is a short string, an int, a bool or None")
    return dict(options)


def _is_option_value(value: object) -> bool:
    if isinstance(value, str):
        return has_only_characters(value, 0, 128)
    return value is None or isinstance(value, bool) or (type(value) is int and abs(value) < 2**53)


def checked_details(details: object, limit: int) -> Details:
    """The details as JSON would give them back (else `InvalidDetailsError`)."""
    if not isinstance(details, Mapping):
        raise InvalidDetailsError("details are a JSON object")
    try:
        text = canonical_json(dict(details))
        # A lone surrogate would poison every later answer that shows it.
        json.dumps(details, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidDetailsError("details are a JSON object of plain, finite values") from error
    if len(text) > limit:
        raise InvalidDetailsError(f"details are at most {limit} bytes of JSON")
    plain: Details = json.loads(text)
    return plain


def short_digest(text: str) -> str:
    """Eight characters that differ when the text differs."""
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def new_token() -> str:
    """A random name of 64 bits: eleven URL-safe characters."""
    # As secrets.token_urlsafe(8), in half the time: one is drawn for each change.
    return b2a_base64(os.urandom(8)).translate(_URL_SAFE)[:11].decode()
