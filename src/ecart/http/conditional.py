"""Entity tags and idempotency keys: conditional requests (RFC 9110 §13) and safe repeats.

A cart's tag names a state, `<epoch>.<version>.<digest>`, not the bytes of one answer. Proxies that
compress an answer change its tag: nginx and CDNs make it weak, Apache, Caddy and Jetty append the
coding (`-gzip`, `--gzip`). The state is the same, so a tag is compared as it is, then without what
such a proxy appends, and weak tags count in `If-Match`, too. A later version may append parts that
name more than the cart; `If-Match` asks for the cart alone.
"""

from __future__ import annotations

import re

from ecart.errors import InvalidOperationIdError
from ecart.http.messages import Request
from ecart.http.problems import HttpError
from ecart.model import CartSummary
from ecart.operations import Version, is_lane, parse_operation_id, short_digest
from ecart.operations.arguments import is_state

_TAG = re.compile(r'\s*(?:(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(?:,|$))')
_KEY = re.compile(r'"([ -~]{1,255})"|([!#-~](?:[ -~]{0,253}[!#-~])?)')
_CODING = re.compile(r"(?:--?|;)(?:gzip|br|zstd|deflate)\Z")
_STATE_PARTS = 3
_NO_CART = ".0."
_NO_STATE = "none.0.none"
"""A state that no cart has: an epoch has eleven characters."""


def entity_tag(cart: CartSummary) -> str:
    """The strong entity tag of a cart. That of one that does not exist yet is made of its id."""
    return f'"{cart.etag if cart.epoch else _tag_of_none(cart.cart_id)}"'


def _tag_of_none(cart_id: str) -> str:
    return f"none.{short_digest(cart_id)}"


def is_unchanged(request: Request, tag: str) -> bool:
    """Whether the client has the state of this entity tag: `If-None-Match` (RFC 9110 §13.1.2)."""
    header = request.headers.get("if-none-match")
    if header is None:
        return False
    current = tag[1:-1]
    known = _tags(header) or ()
    return header.strip() == "*" or any(current in (each, _uncoded(each)) for each in known)


def expected_versions(request: Request) -> tuple[Version, ...]:
    """The states on which the client insists: `If-Match` (RFC 9110 §13.1.1).

    Raises:
        HttpError: `invalid_header`.
    """
    header = request.headers.get("if-match")
    if header is None or header.strip() == "*":
        return ()
    tags = _tags(header)
    if not tags:
        raise HttpError("invalid_header", 'If-Match is a list of entity tags: "…", "…"')
    none = _tag_of_none(request.session.cart_id)
    states = dict.fromkeys(
        _NO_CART if state == none else state for tag in tags for state in _states(tag)
    )
    return tuple(filter(is_state, states)) or (_NO_STATE,)


def _states(tag: str) -> tuple[str, ...]:
    """The states that a tag may name: all of it, without a coding, without further parts."""
    plain = _uncoded(tag)
    return tag, plain, ".".join(plain.split(".", _STATE_PARTS)[:_STATE_PARTS])


def _uncoded(tag: str) -> str:
    return _CODING.sub("", tag)


def _tags(header: str) -> list[str] | None:
    """The tags of a list, weak or strong; None if it is no such list."""
    tags, position = [], 0
    while position < len(header):
        match = _TAG.match(header, position)
        if match is None:
            return None
        tags.append(match[1])
        position = match.end()
    return tags


def idempotency_key(request: Request) -> str | None:
    """The client's name for this very change, quoted (as in the IETF draft) or bare.

    Raises:
        HttpError: `invalid_header`.
    """
    header = request.headers.get("idempotency-key")
    if header is None:
        return None
    match = _KEY.fullmatch(header.strip())
    key = match and (match[1] or match[2])
    if not key or not _is_of_a_client(key):
        raise HttpError(
            "invalid_header",
            "an Idempotency-Key is 1 to 255 printable ASCII characters; one that begins with ~ is "
            "~<11 characters>.0.<number>",
        )
    return key


def _is_of_a_client(key: str) -> bool:
    try:
        return not is_lane(parse_operation_id(key)[0])
    except InvalidOperationIdError:
        return False


def fingerprint(request: Request) -> str:
    """The digest in which a repeat under the same key must agree: method, path and body.

    Not the cart: a change made as a visitor may be repeated in the user's cart.
    """
    cart = (request.session.cart_id,) if request.has_former_fingerprint else ()
    parts = (request.method, request.path, *cart, request.body.decode(errors="replace"))
    return short_digest("\x1f".join(parts).encode(errors="replace").decode())
