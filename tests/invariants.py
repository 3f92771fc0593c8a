"""What must hold of every key in the store, whatever happened: checked after every test.

Written from docs/data-model.md alone, with nothing of `ecart.stores`, so that a mistake there is
not made twice.
"""

from __future__ import annotations

import json
import re
import time
from decimal import Decimal
from typing import Any

DEPLOYMENT_KEY = re.compile(rb"[\w.~-]+:deployment", re.ASCII)
MINUTE_KEY = re.compile(rb"[\w.~-]+:minutes:(\d+)", re.ASCII)
CART_KEY = re.compile(rb"[\w.~-]+:\{\d+\}:cart:[A-Za-z0-9._~%-]+", re.ASCII)
INDEX_KEY = re.compile(rb"[\w.~-]+:\{\d+\}:index", re.ASCII)
ENDED_KEY = re.compile(rb"[\w.~-]+:\{\d+\}:ended:[\w-]+")
SURVEY_KEY = re.compile(rb"[\w.~-]+:survey", re.ASCII)
TURN_KEY = re.compile(rb"[\w.~-]+:(?:survey|sweep):turn", re.ASCII)
INDEX_MEMBER = re.compile(rb"[A-Za-z0-9._~%-]+", re.ASCII)

_FIELDS = {
    "v": re.compile(rb"(\d+)\|([\w-]+)\|(\d+)\|(\d+)\|(\d+)\|(\d+)", re.ASCII),
    "c": re.compile(rb"(\d+)\|(\d+)\|(\d+)\|(\d{1,9})\|(\d+)", re.ASCII),
    "m": re.compile(rb"1\|([\w-]{11})\|([A-Z]{3})\|(\d+)\|(!?)(\d+)", re.ASCII),
    "s": re.compile(
        rb"(gone|locked(?=.+\|.+\|[01]$)|merg(?:ing|ed)(?=.+\|\w+\|[\w.~%-]+$))"
        rb"(?:\|[\w-]+\|\w+\|[\w.~%-]+)?",
        re.ASCII,
    ),
    "b": re.compile(rb"(\d+)\|(\d+)", re.ASCII),
    ":": re.compile(rb"([1-9]\d*)\|(|\d+(?:\.\d*[1-9])?)\|([1-9]\d*)\|(|\"[^|]*)\|(.*)", re.ASCII),
    "~": re.compile(rb"([1-9]\d*)\|([0-9a-f]+)\|(\d+)", re.ASCII),
    "!": re.compile(rb"(0|[1-9]\d*)", re.ASCII),
    "#": re.compile(rb"[1-9]\d*\|([0-9a-f]+)\|(\d+)", re.ASCII),
    "&": re.compile(rb"1\|([0-9a-f]+)\|(\d+)\|(?:refused|\d+\|\d+\|\d+\|\d+)", re.ASCII),
}
_ATTRIBUTES = re.compile(rb"(?:=[a-zA-Z][^|{]*\|)*")
_ENDED_MS = {"gone": 900_000, "merging": 7 * 86_400_000, "merged": 86_400_000}
_LONG_NAMES = {
    ":": re.compile(r":[^\x00-\x20\x7f](?:[^\x00-\x1f\x7f]{0,143}[^\x00-\x20\x7f])?"),
    "~": re.compile(r"~[\w-]{11}\.[1-9]\d*", re.ASCII),
    "!": re.compile(r"![^\x00-\x20\x7f](?:[^\x00-\x1f\x7f]{0,143}[^\x00-\x20\x7f])?"),
    "#": re.compile(r"#[\w-]{16}", re.ASCII),
    "&": re.compile(r"&[\w-]{16}", re.ASCII),
}
_CLOCK_TOLERANCE_MS = 250


def violations(client: Any, *, allowed: tuple[re.Pattern[bytes], ...] = ()) -> list[str]:
    """Everything wrong with the keys of a store. Keys that match `allowed` are not carts."""
    found = []
    for key in client.keys("*"):
        if not any(pattern.fullmatch(key) for pattern in allowed):
            found += [f"{key!r}: {wrong}" for wrong in _wrong_with_key(client, key)]
    return found


def _wrong_with_key(client: Any, key: bytes) -> list[str]:
    if DEPLOYMENT_KEY.fullmatch(key):
        return _wrong_with_deployment(client, key)
    if INDEX_KEY.fullmatch(key):
        return _wrong_with_index(client, key)
    if minute := MINUTE_KEY.fullmatch(key):
        return _wrong_with_minute(client, key, int(minute[1]))
    if ENDED_KEY.fullmatch(key):
        lives = client.get(key) == b"1" and client.pttl(key) > 0
        return [] if lives else ["an ended session that never expires"]
    if SURVEY_KEY.fullmatch(key) or TURN_KEY.fullmatch(key):
        return _wrong_with_upkeep(client, key)
    if not CART_KEY.fullmatch(key):
        return ["a key of no known name"]
    kind = client.type(key)
    if kind != b"hash":
        return [f"a {kind.decode()}, not a hash"]
    with client.pipeline() as pipe:
        (seconds, micros), pttl, fields = pipe.time().pttl(key).hgetall(key).execute()
    return wrong_with_cart(fields, pttl, seconds * 1000 + micros // 1000)


def _wrong_with_index(client: Any, key: bytes) -> list[str]:
    kind = client.type(key)
    if kind != b"zset":
        return [] if kind == b"none" else ["no index"]  # none: what left it empty was quicker
    # None: whoever noted was killed between two commands; the next note, or a sweep, sets it.
    is_kept = client.ttl(key) == -1 or client.ttl(key) > 365 * 86_400
    wrong = [] if is_kept else ["expires before the carts in it may"]
    latest = int(time.time() * 1000) + 86_400_000  # clocks are set forward in some tests
    for member, score in client.zrange(key, 0, -1, withscores=True):
        if not INDEX_MEMBER.fullmatch(member) or not 0 < score < latest or score != int(score):
            wrong.append(f"a member of no cart or time: {member!r} at {score}")
    return wrong


def _wrong_with_upkeep(client: Any, key: bytes) -> list[str]:
    if client.type(key) != b"string":
        return ["no text"]
    with client.pipeline() as pipe:
        pttl, text = pipe.pttl(key).get(key).execute()
    if text is None:  # it expired just now
        return []
    is_turn = TURN_KEY.fullmatch(key)
    longest_ms = 7 * 86_400_000 if is_turn else 900_000
    wrong = [] if 0 < pttl <= longest_ms else [f"expires in {pttl} ms"]
    if is_turn:
        return wrong if text == b"taken" else [*wrong, f"no turn: {text!r}"]
    survey = json.loads(text)
    if survey["carts"] != sum(bucket["carts"] for bucket in survey["sizes"]):
        wrong.append("its buckets do not add up to its carts")
    return wrong


def _wrong_with_deployment(client: Any, key: bytes) -> list[str]:
    if client.type(key) != b"hash":
        return ["no record of a deployment"]
    fields = client.hgetall(key)
    numbers = {name: int(text) for name, text in fields.items() if text.isdigit()}
    wrong = [] if client.pttl(key) == -1 else ["expires, and is to stay"]
    if set(fields) != {b"partitions", b"schema", b"created"} or set(numbers) != set(fields):
        return [*wrong, f"no record of a deployment: {fields}"]
    if not 1 <= numbers[b"partitions"] <= 16_384 or numbers[b"schema"] != 1:
        wrong.append(f"no deployment could be so: {fields}")
    return wrong


def _wrong_with_minute(client: Any, key: bytes, minute: int) -> list[str]:
    if client.type(key) != b"hash":
        return ["no counts of a minute"]
    with client.pipeline() as pipe:
        (seconds, micros), pttl, fields = pipe.time().pttl(key).hgetall(key).execute()
    end_ms = (seconds * 1000 + micros // 1000) + pttl
    wrong = [] if abs(end_ms - (minute + 121) * 60_000) < 1000 else [f"expires in {pttl} ms"]
    for worker, counts in fields.items():
        if not re.fullmatch(rb"[\w-]{11}", worker) or not re.fullmatch(rb"\d+(\|\d+){5}", counts):
            wrong.append(f"no counts of a worker: {worker!r} {counts!r}")
    return wrong


def wrong_with_cart(fields: dict[bytes, bytes], pttl: int, now_ms: int) -> list[str]:
    """Everything wrong with one cart's hash, its time to live as PTTL gives it, at a time."""
    parsed: dict[str, dict[str, tuple[bytes, ...]]] = {kind: {} for kind in _FIELDS}
    wrong = []
    for name, value in fields.items():
        text = name.decode("utf-8", "backslashreplace")
        kind = text[:1]
        long_name = _LONG_NAMES.get(kind)
        if kind not in parsed or not (long_name.fullmatch(text) if long_name else text == kind):
            wrong.append(f"an unknown field {text!r}")
        elif match := _FIELDS[kind].fullmatch(value):
            parsed[kind][text] = match.groups()
        else:
            wrong.append(f"field {text!r} is unreadable: {value!r}")
    wrong += [f"no field {name!r}" for name in ("v", "c", "m") if name.encode() not in fields]
    if wrong:
        return wrong
    return [*_wrong_sums(parsed), *_wrong_records(parsed), *_wrong_expiry(parsed, pttl, now_ms)]


def _wrong_sums(parsed: dict[str, dict[str, tuple[bytes, ...]]]) -> list[str]:
    lines = parsed[":"]
    prices = [Decimal(price.decode()) * int(n) for n, price, *_ in lines.values() if price]
    positions = [int(line[2]) for line in lines.values()]
    count, quantity, units, nanos, last = map(int, parsed["c"]["c"])
    counted = {
        "line count": (count, len(lines)),
        "total quantity": (quantity, sum(int(line[0]) for line in lines.values())),
        "subtotal": (units * 10**9 + nanos, int(sum(prices) * 10**9)),
        "distinct positions": (len(set(positions)), len(positions)),
    }
    wrong = [f"{what} {has}, not {is_}" for what, (has, is_) in counted.items() if has != is_]
    if last < max(positions, default=0):
        wrong.append(f"last position {last} is below {max(positions)}")
    # Missing, or of another version: it is counted anew with the next change.
    counted_at, size = map(int, parsed["b"].get("b", (b"0", b"0")))
    right_size = sum(
        len(name.encode()) + len(title) + len(b"|") + len(rest)
        for name, (_, _, _, title, rest) in lines.items()
    )
    if counted_at == int(parsed["v"]["v"][0]) and size != right_size:
        wrong.append(f"bytes of lines {size}, not {right_size}")
    state = _state(parsed)
    if state == "gone" and lines:
        wrong.append("gone, but with lines")
    if state in ("locked", "merging") and not lines:
        wrong.append(f"{state}, but without lines")
    seen = {name[1:]: int(n) for name, (n,) in parsed["!"].items()}
    if seen and state != "locked":
        wrong.append("remembers what check-out saw, but is not locked")
    if any(n > int(lines.get(f":{name}", (b"0",))[0]) for name, n in seen.items()):
        wrong.append("check-out saw more than there is")
    return [*wrong, *_wrong_extras(lines)]


def _state(parsed: dict[str, dict[str, tuple[bytes, ...]]]) -> str:
    return parsed["s"]["s"][0].decode() if parsed["s"] else "open"


def _wrong_extras(lines: dict[str, tuple[bytes, ...]]) -> list[str]:
    wrong = []
    for name, (_, _, _, _, rest) in lines.items():
        extra = _ATTRIBUTES.sub(b"", rest, count=1)
        try:
            parts = json.loads(extra) if extra else {}
        except ValueError:
            parts = None
        if not isinstance(parts, dict) or not set(parts) <= {"o", "d"}:
            wrong.append(f"line {name!r} ends in something else than options and details")
    return wrong


def _wrong_records(parsed: dict[str, dict[str, tuple[bytes, ...]]]) -> list[str]:
    counted = {"~": int(parsed["v"]["v"][3]), "#&": int(parsed["v"]["v"][4])}
    present = {kinds: sum(len(parsed[kind]) for kind in kinds) for kinds in counted}
    return [
        f"{counted[kinds]} records {kinds!r} counted, {present[kinds]} present"
        for kinds in counted
        if counted[kinds] != present[kinds]
    ]


def _wrong_expiry(
    parsed: dict[str, dict[str, tuple[bytes, ...]]], pttl: int, now_ms: int
) -> list[str]:
    ttl, updated = int(parsed["m"]["m"][4]), int(parsed["v"]["v"][2])
    ttl = _ENDED_MS.get(_state(parsed), ttl)
    if ttl == 0:
        return [] if pttl == -1 else [f"never to expire, yet in {pttl} ms"]
    if pttl < 0:
        return ["no expiry"]
    if abs(now_ms + pttl - updated - ttl) > _CLOCK_TOLERANCE_MS:
        return [f"expires in {pttl} ms, {now_ms - updated} ms after a change, with a ttl of {ttl}"]
    return []
