"""Carts as the code of commit 774bdc8 stored them, and what that code read and answered.

`carts.json` holds raw hashes, one cart a line, and beside each what `Cart.get()` and `GET /cart`
gave; `repeats` are calls that had been applied. `sessions.json` holds cookies and tokens, and
server/tests/upgrade the exported lines, the forms and a data folder of the same carts. These files
are not made anew: a change of the stored form has to read them as they are.

Records, check-outs and keys expire, so the times in the files are moved to the present, all by the
same number of whole seconds; nothing else of a value is changed. Of `read` and its lines, what has
the value in `_USUAL` and `_USUAL_OF_LINE` is left out.
"""

from __future__ import annotations

import json
import re
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ecart import Rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FOLDER = Path(__file__).parent
A_WEEK = 604_800_000
RECORDS = ("~", "#", "&")
"""What the names of the fields begin with by which repeats are recognised."""

_USUAL: dict[str, Any] = {
    "currency": "USD", "state": "open", "lock": None, "merge": None, "ttl_ms": A_WEEK,
    "ttl_pinned": False, "ordered": {},
}  # fmt: skip
_USUAL_OF_LINE: dict[str, Any] = {
    "unit_price": None, "title": None, "options": {}, "details": None,
}  # fmt: skip

_TIMESTAMP = re.compile(r"(?<!\d)(\d{10})(\d{3})?(?!\d)")
_ISO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_LONGEST_AHEAD = 400 * 86_400
"""Seconds. What is a number of as many digits and further away is no time."""


class StoredCart(msgspec.Struct, frozen=True):
    """A cart's key, its hash, and when the key expires (None: never), in milliseconds since 1970.

    `read` holds attributes of the `CartSnapshot`, `view` the JSON that `GET /cart` answered, if
    that was recorded, and `token` the `Cart-Token` that opens the cart.
    """

    cart_id: str
    key: str
    hash: dict[str, str]
    expires_ms: int | None
    etag: str
    read: dict[str, Any]
    view: dict[str, Any] | None
    token: str | None

    @property
    def snapshot(self) -> dict[str, Any]:
        """All that was read, by attribute."""
        lines = [{**_USUAL_OF_LINE, **line} for line in self.read["lines"]]
        return {"cart_id": self.cart_id, **_USUAL, **self.read, "lines": lines}

    @property
    def state(self) -> str:
        """As `Cart.get()` gave it."""
        state: str = self.snapshot["state"]
        return state

    @property
    def rules(self) -> Rules:
        """Rules that allow all that is in the cart, and keep its life and currency."""
        snapshot = self.snapshot
        currency, ttl_ms = snapshot["currency"], snapshot["ttl_ms"]
        return Rules(currency=currency, ttl_ms=ttl_ms, max_quantity=1_000_000)

    @property
    def records(self) -> dict[str, str]:
        """The fields by which repeats are recognised."""
        return records_in(self.hash)


class Repeat(msgspec.Struct, frozen=True):
    """A call of a method of `Cart` that took effect: a repeat of it changes nothing."""

    cart_id: str
    method: str
    arguments: dict[str, Any]


class Golden(msgspec.Struct, frozen=True):
    """What `carts.json` holds; `made_ms` is the latest time in it that has passed."""

    made_ms: int
    carts: tuple[StoredCart, ...]
    repeats: tuple[Repeat, ...]

    def cart(self, cart_id: str) -> StoredCart:
        return next(cart for cart in self.carts if cart.cart_id == cart_id)


MADE_MS: int = json.loads((FOLDER / "carts.json").read_text())["made_ms"]


def golden(age: int = 0) -> Golden:
    """The carts as if they had been stored `age` seconds ago."""
    text = (FOLDER / "carts.json").read_text()
    latest_ms = (int(time.time()) - age) * 1000
    return msgspec.convert(json.loads(moved(text, MADE_MS, latest_ms)), Golden)


def moved(text: str, made_ms: int, latest_ms: int) -> str:
    """`text` with its times moved, so that the latest, `made_ms`, is `latest_ms`."""
    made, by = made_ms // 1000, (latest_ms - made_ms) // 1000

    def timestamp(match: re.Match[str]) -> str:
        seconds = int(match[1])
        is_time = made - 3600 < seconds < made + _LONGEST_AHEAD
        return f"{seconds + by}{match[2] or ''}" if is_time else match[0]

    def iso_time(match: re.Match[str]) -> str:
        later = datetime.fromisoformat(match[0]) + timedelta(seconds=by)
        return later.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    return _ISO_TIME.sub(iso_time, _TIMESTAMP.sub(timestamp, text))


def plant(client: Any, carts: Iterable[StoredCart]) -> None:
    """Stores the hashes as they are, each with its expiry."""
    with client.pipeline(transaction=False) as pipe:
        for cart in carts:
            pipe.hset(cart.key, mapping=cart.hash)
            if cart.expires_ms is not None:
                pipe.pexpireat(cart.key, cart.expires_ms)
        pipe.execute()


def stored(client: Any, cart: StoredCart) -> dict[str, str]:
    """The cart's hash as it is now."""
    return {name.decode(): value.decode() for name, value in client.hgetall(cart.key).items()}


def records_in(fields: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in fields.items() if name[0] in RECORDS}


def as_json(value: object) -> str:
    """JSON in which 1 is not `true`, and names are sorted: to be compared."""
    return json.dumps(value, sort_keys=True)


def recorded_part(answer: Any, recorded: Any) -> Any:
    """Of an answer, the fields that the recorded one has: it may have got others since."""
    if isinstance(recorded, dict):
        return {name: recorded_part(answer[name], value) for name, value in recorded.items()}
    if isinstance(recorded, list):
        return [recorded_part(*pair) for pair in zip(answer, recorded, strict=True)]
    return answer


def attributes(value: Any, names: Any) -> Any:
    """The attributes that `names` has keys for, of a value and of the values in it, as builtins."""
    if isinstance(value, msgspec.Struct) and names:
        return {name: attributes(getattr(value, name), names[name]) for name in names}
    if isinstance(value, tuple) and len(value) == len(names):
        return [attributes(each, like) for each, like in zip(value, names, strict=True)]
    return msgspec.to_builtins(value)
