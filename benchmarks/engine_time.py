"""What the engine itself works for one add, by its own clock (`INFO commandstats`), and for what.

To see what bounds it, a script that only gives the same commands is called in place of the real
one. To see what exactly-once costs, a second form of the real one is, from which everything about
records is cut out: reading one, judging by it, counting it, keeping it. The cuts are made in the
text that the library sends, and each must fit, or nothing is measured.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from redis.exceptions import NoScriptError

from ecart import AsyncCart, Cart

from .figures import Figure, Measurement, at_most
from .lab import SOCKET, Lab
from .library import PRICE, RULES, filled
from .parallel import TASKS, adds, in_tasks
from .rivals import bare_script
from .rounds import interleaved

WITHOUT_RECORDS = (
    (r'"s", "b", record, line\)', '"s", "b", line)'),
    (r"recorded, line_text = unpack\(fields\)", "line_text = unpack(fields) local recorded"),
    (r'if recorded and string\.sub\(header\.records, 1, 4\) == "1\|0\|" then', "if true then"),
    (r"record, record_text\([^)]*\), line, new_line", "line, new_line"),
)

COMMANDS_ALONE = """
local key, record, sequence, fingerprint = KEYS[1], ARGV[1], ARGV[2], ARGV[5]
local ttl, line = ARGV[7], ARGV[9]
local raw = redis.pcall("HMGET", key, "v", "c", "m", "s", "b", record, line)
local v, c, m, s, b, _, text = unpack(raw)
local time = redis.call("TIME")
local now = time[1] .. string.sub("00000" .. time[2], -6, -4)
local recorded = sequence .. "|" .. fingerprint .. "|" .. time[1]
redis.call("HSET", key, "v", v, "c", c, "b", b, record, recorded, line, text)
redis.call("PEXPIREAT", key, now + ttl)
return "0\\n" .. v .. "\\n" .. c .. "\\n" .. m .. "\\n" .. (s or "") .. "\\n" .. text
"""
"""What no script of an add could do without: its commands, its arguments, its reply. It changes
nothing, so it judges nothing."""


class Overhearing:
    """A client that for once pretends not to know a script, so that it is told the text.

    `instead` names the script that is then called in its place: the caller's work stays the same.
    """

    def __init__(self, client: Any, instead: str = "") -> None:
        self._client = client
        self._forgets = not instead
        self._instead = instead
        self.script = ""

    def execute_command(self, *command: Any, **options: Any) -> Any:
        """Passes the command on."""
        if command[0] == "EVALSHA" and self._forgets:
            self._forgets = False
            raise NoScriptError("NOSCRIPT")
        if command[0] == "EVAL":
            self.script = _text(command[1])
        if command[0] == "EVALSHA" and self._instead:
            command = ("EVALSHA", self._instead, *command[2:])
        return self._client.execute_command(*command, **options)


def _text(part: Any) -> str:
    return part.decode() if isinstance(part, bytes) else str(part)


def add(lab: Lab) -> Iterable[Figure]:
    """One add to a cart of ten lines, with and without records."""
    cart_id = filled(lab, 10)
    with lab.engine.client() as client:
        overheard = Overhearing(client)
        Cart(cart_id, overheard, rules=RULES).add("sku-0", unit_price=PRICE)
        sha = client.script_load(without_records(overheard.script))
        cart = Cart(cart_id, client, rules=RULES)
        bare = Cart(cart_id, Overhearing(client, instead=sha), rules=RULES)
        sha = client.script_load(COMMANDS_ALONE)
        least = Cart(cart_id, Overhearing(client, instead=sha), rules=RULES)
        turns = {
            "add": lambda: cart.add("sku-0", unit_price=PRICE),
            "without records": lambda: bare.add("sku-0", unit_price=PRICE),
            "commands alone": lambda: least.add("sku-0", unit_price=PRICE),
            "one line": bare_script(client),
        }
        calls = max(20, round(lab.pace.turn * 10_000))
        samples = interleaved(
            {name: _engine_time(client, call, calls) for name, call in turns.items()},
            lab.pace.rounds,
        )
    beside = samples.of("add", "without records", "commands alone", "one line")
    values = tuple(samples.scores["add"])
    note = "with records, without, its commands alone, script of one line"
    yield Figure("engine time of an add", values, "µs", at_most(15), note, beside)
    left = samples.ratios("without records", "add")
    share = tuple((1 - ratio) * 100 for ratio in left)
    yield Figure("share of exactly-once in it", share, "%", at_most(25))


def add_of_many(lab: Lab) -> Iterable[Figure]:
    """One add where 64 tasks add at once: an engine that has no time to forget how."""
    with asyncio.Runner() as runner, lab.engine.client() as client:
        url = lab.engine.urls[SOCKET]
        carts = [AsyncCart(f"busy-{number}", url, rules=RULES) for number in range(TASKS)]
        turn = in_tasks(runner, adds(carts))
        turn(TASKS)
        calls = max(TASKS, round(lab.pace.turn * 40_000))
        measured = _engine_time(client, partial(turn, calls), 1)
        samples = interleaved({"add": measured}, lab.pace.rounds)
        runner.run(carts[0].store.close())  # type: ignore[attr-defined]
    values = tuple(samples.scores["add"])
    yield Figure(f"engine time of an add, {TASKS} tasks", values, "µs", at_most(15))


def without_records(script: str) -> str:
    """The script with the cuts made.

    Raises:
        LookupError: a cut does not fit; the script has changed, and the cuts must follow.
    """
    for pattern, replacement in WITHOUT_RECORDS:
        script, count = re.subn(pattern, replacement, script)
        if count != 1:
            raise LookupError(f"{pattern} fits {count} times into add_item: change {__file__}")
    return script


def _engine_time(client: Any, call: Callable[[], Any], calls: int) -> Callable[[], float]:
    def turn() -> float:
        client.config_resetstat()
        for _ in range(calls):
            call()
        return float(client.info("commandstats")["cmdstat_evalsha"]["usec_per_call"])

    return turn


MEASUREMENTS = (
    Measurement("engine time of an add", add),
    Measurement("engine time of an add, many at once", add_of_many),
)
