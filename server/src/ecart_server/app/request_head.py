"""What the head of a request must be before an application sees it (RFC 9112, RFC 9110 §4.2, §7.2).

A parser has taken it apart; what is checked here is the same for every parser.
"""

from __future__ import annotations

import re

from ecart.http.problems import HttpError

MAX_HEAD_BYTES = 65_536
MAX_HEADER_LINES = 100
MAX_HEADER_LINE_BYTES = 16_384
MAX_TARGET_BYTES = 8_192
MAX_FRAMING_BYTES = 16_384
"""Of chunk extensions and trailers of one request, in all."""

HeaderLines = list[tuple[bytes, bytes]]

_TARGET_DETAIL = f"a request target is at most {MAX_TARGET_BYTES} bytes"
_HOST = re.compile(rb"[\w.\-~%!$&'()*+,;=:\[\]]*", re.ASCII)
_ABSOLUTE = re.compile(rb"https?://([^/?#@]+)((?:[/?].*)?)", re.IGNORECASE | re.DOTALL)


def check_target_size(target: bytes) -> None:
    """Refuses a request target of more than `MAX_TARGET_BYTES`.

    Raises:
        HttpError: `target_too_long`.
    """
    if len(target) > MAX_TARGET_BYTES:
        raise HttpError("target_too_long", _TARGET_DETAIL)


def check_header_lines(lines: HeaderLines) -> None:
    """Refuses too many lines, and too long ones.

    Raises:
        HttpError: `head_too_large`.
    """
    if len(lines) > MAX_HEADER_LINES:
        raise HttpError("head_too_large", f"a head has at most {MAX_HEADER_LINES} lines")
    # ": " is between name and value.
    if any(len(name) + len(value) + 2 > MAX_HEADER_LINE_BYTES for name, value in lines):
        detail = f"a line of a head is at most {MAX_HEADER_LINE_BYTES} bytes"
        raise HttpError("head_too_large", detail)


def refusal_of_endless_head(target: bytes) -> HttpError:
    """The refusal of a head that has not ended after `MAX_HEAD_BYTES`, by its target so far."""
    if len(target) > MAX_TARGET_BYTES:
        return HttpError("target_too_long", _TARGET_DETAIL)
    return HttpError("head_too_large", f"a head is at most {MAX_HEAD_BYTES} bytes")


def unknown_transfer_coding() -> HttpError:
    """The refusal of a body in another transfer coding than `chunked` (RFC 9112 §6.1)."""
    return HttpError("unknown_transfer_coding", "the only transfer coding here is chunked")


def check_framing_size(size: int) -> None:
    """Refuses too much around the data of a chunked body.

    Raises:
        HttpError: `invalid_request`.
    """
    if size > MAX_FRAMING_BYTES:
        detail = f"chunk extensions and trailers are at most {MAX_FRAMING_BYTES} bytes in all"
        raise HttpError("invalid_request", detail)


def normalized_head(
    method: bytes, target: bytes, version: bytes, lines: HeaderLines
) -> tuple[bytes, HeaderLines]:
    """The target in origin form (or `*`), and the header lines; `Host` is the absolute form's.

    `lines` have names in lower case; `version` is `1.1`, for instance.

    Raises:
        HttpError: `target_too_long`, `head_too_large`, `invalid_request`,
            `unknown_transfer_coding`.
    """
    check_target_size(target)
    check_header_lines(lines)
    hosts = [value for name, value in lines if name == b"host"]
    if len(hosts) > 1 or (not hosts and version == b"1.1"):
        raise HttpError("invalid_request", "a request has one Host header (RFC 9112 §3.2)")
    if hosts and _HOST.fullmatch(hosts[0]) is None:
        raise HttpError("invalid_request", "the Host header is no host (RFC 9110 §7.2)")
    for name, value in lines:
        if name == b"transfer-encoding" and value.strip().lower() != b"chunked":
            raise unknown_transfer_coding()
    if target.startswith(b"/"):
        return target, lines
    if target == b"*" and method == b"OPTIONS":
        return target, lines
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None or _HOST.fullmatch(absolute[1]) is None:
        raise HttpError("invalid_request", "a request target begins with / (RFC 9112 §3.2)")
    host, rest = absolute.groups()
    if not rest and method == b"OPTIONS":
        rest = b"*"  # RFC 9112 §3.2.4
    elif not rest.startswith(b"/"):
        rest = b"/" + rest
    others = [line for line in lines if line[0] != b"host"]
    return rest, [(b"host", host), *others]
