"""Histories of one cart: clients that note when each operation began, ended, and what it answered.

As a program, one client in a process of its own: `recording.py URL` reads a line of JSON per
history (cart id, seed, operations) and prints its events as a line.
"""

from __future__ import annotations

import json
import random
import sys
import time
from typing import TYPE_CHECKING, Any

from ecart import RedisStore, Rules, flows
from ecart.errors import OutcomeUnknownError, RefusedError, StoreUnavailableError
from ecart.operations import AddItem, Change, GetCart, RemoveLine, SetQuantity
from ecart.store import run, steps_on
from faults.linearizability import FOREVER, Event

if TYPE_CHECKING:
    from collections.abc import Hashable

    from ecart.flows import Flow
    from ecart.operations import Operation

SKUS = ("apple", "pear", "plum")
LIMIT = 12
"""Units of a line: low, so that some adds are refused."""


def cart_model(state: Any, operation: Any) -> tuple[Hashable, Any]:
    """What one cart does, one operation after the other. The state: (line, quantity), sorted.

    The answer is the resulting quantity, the code of a refusal, or all lines. A repeat that was
    recognised shows the cart as it is by then, so all that it answers is that it was done.
    """
    what, sku, quantity, is_replayed = operation
    if what == "get":
        return state, state
    lines = dict(state)
    if what == "add":
        answer = lines.get(sku, 0) + quantity
        if answer > LIMIT:
            return state, "quantity_limit_exceeded"
        lines[sku] = answer
    elif sku not in lines:
        return state, "line_not_found"
    else:
        answer = lines[sku] = quantity
        if not quantity:
            del lines[sku]
    return tuple(sorted(lines.items())), "done" if is_replayed else answer


EMPTY: tuple[tuple[str, int], ...] = ()


def client(cart_id: str, seed: str, operations: int, history: list[Event]) -> Flow[None]:
    """One client's part of a history."""
    chance = random.Random(seed)
    for _ in range(operations):
        name, operation = drawn(chance)
        began = time.monotonic_ns()
        try:
            result = yield from flows.perform(cart_id, operation)
        except OutcomeUnknownError:
            history.append(Event(began, FOREVER, name, is_known=False))
        except StoreUnavailableError:
            pass  # not executed: nothing has happened
        except RefusedError as error:
            history.append(Event(began, time.monotonic_ns(), name, error.code))
        else:
            ended = time.monotonic_ns()
            replayed = isinstance(operation, Change) and result.replayed
            history.append(Event(began, ended, (*name[:3], replayed), _answer(name, result)))


def drawn(chance: random.Random) -> tuple[tuple[Any, ...], Operation[Any]]:
    """What a client does next: its name in a history, and the operation."""
    sku, quantity = chance.choice(SKUS), chance.randint(1, 3)
    rules = Rules(max_quantity=LIMIT)
    match chance.choices(("add", "set", "remove", "get"), (9, 4, 2, 5))[0]:
        case "add":
            add = AddItem(sku=sku, quantity=quantity, rules=rules)
            return ("add", sku, quantity, False), add
        case "set":
            put = SetQuantity(line_id=sku, quantity=quantity - 1, rules=rules)
            return ("set", sku, quantity - 1, False), put
        case "remove":
            return ("remove", sku, 0, False), RemoveLine(line_id=sku, rules=rules)
        case _:
            return ("get", "", 0, False), GetCart(rules=rules)


def _answer(name: tuple[Any, ...], result: Any) -> Any:
    if name[0] == "get":
        return tuple(sorted((line.line_id, line.quantity) for line in result.lines))
    if result.replayed:
        return "done"
    return result.line.quantity if result.line else 0


def main(url: str) -> None:
    store = RedisStore(url)
    for order in sys.stdin:
        history: list[Event] = []
        run(client(*json.loads(order), history), steps_on(store))
        told = [[e.began, e.ended, e.operation, e.answer, e.is_known] for e in history]
        print(json.dumps(told), flush=True)
    store.close()


def read_back(line: str) -> list[Event]:
    """The events that a process printed."""
    return [
        Event(began, ended, tuple(operation), _hashable(answer), is_known)
        for began, ended, operation, answer, is_known in json.loads(line)
    ]


def _hashable(answer: Any) -> Any:
    return tuple(tuple(line) for line in answer) if isinstance(answer, list) else answer


if __name__ == "__main__":
    main(*sys.argv[1:])
