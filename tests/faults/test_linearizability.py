"""The checker itself, on histories known to be good and bad."""

from __future__ import annotations

import random

import pytest

from faults.linearizability import FOREVER, Event, find_violation


def counter(state, operation):
    """A cart with one line, as a model: `add n` answers the new quantity, `get` the quantity."""
    if operation == "get":
        return state, state
    if operation == "remove":
        return (0, "ok") if state else (0, "line_not_found")
    return state + operation[1], state + operation[1]


def add(began, ended, n, answer, *, is_known=True):
    return Event(began, ended, ("add", n), answer, is_known)


def get(began, ended, answer):
    return Event(began, ended, "get", answer)


GOOD = {
    "nothing": [],
    "one after the other": [add(0, 1, 1, 1), add(2, 3, 1, 2), get(4, 5, 2)],
    "at once, either order": [add(0, 5, 1, 3), add(0, 5, 2, 2), get(6, 7, 3)],
    "a read at once with a change may see it": [add(0, 5, 1, 1), get(1, 2, 1)],
    "a read at once with a change may miss it": [add(0, 5, 1, 1), get(1, 2, 0)],
    "no answer, and it was applied": [
        add(0, FOREVER, 1, None, is_known=False),
        get(1, 2, 0),
        get(3, 4, 1),
    ],
    "no answer, and it was not": [add(0, FOREVER, 1, None, is_known=False), get(1, 2, 0)],
    "applied long after": [
        add(0, FOREVER, 5, None, is_known=False),
        add(1, 2, 1, 1),
        get(3, 4, 6),
    ],
    "refused where it must be": [
        Event(0, 1, "remove", "line_not_found"),
        add(2, 3, 1, 1),
        Event(4, 5, "remove", "ok"),
    ],
}

BAD = {
    "a lost update": [add(0, 5, 1, 1), add(0, 5, 1, 1), get(6, 7, 1)],
    "a change that vanished": [add(0, 1, 1, 1), get(2, 3, 0)],
    "a change applied twice": [add(0, 1, 1, 1), get(2, 3, 2)],
    "a stale read": [add(0, 1, 1, 1), add(2, 3, 1, 2), get(4, 5, 1)],
    "a read from the future": [get(0, 1, 1), add(2, 3, 1, 1)],
    "two reads that go back": [
        add(0, 9, 1, 1),
        get(1, 2, 1),
        get(3, 4, 0),
    ],
    "no answer, applied, and then not": [
        add(0, FOREVER, 1, None, is_known=False),
        get(1, 2, 1),
        get(3, 4, 0),
    ],
    "applied before it began": [get(0, 1, 5), add(2, FOREVER, 5, None, is_known=False)],
    "removed twice": [
        add(0, 1, 1, 1),
        Event(2, 3, "remove", "ok"),
        Event(4, 5, "remove", "ok"),
    ],
    "refused without reason": [add(0, 1, 1, 1), Event(2, 3, "remove", "line_not_found")],
}


@pytest.mark.parametrize("name", GOOD)
def test_accepts_what_a_single_cart_could_have_shown(name):
    """A history that some order explains is no violation."""
    assert find_violation(GOOD[name], counter, 0) is None


@pytest.mark.parametrize("name", BAD)
def test_finds_what_no_single_cart_can_show(name):
    """A history that no order explains is a violation, and it says where every order ends."""
    violation = find_violation(BAD[name], counter, 0)

    assert violation is not None
    assert violation.stuck


def simulated(rng, clients=6, operations=200):
    """A history of a real single counter under random overlaps: linearizable by construction."""
    events, state, clock = [], 0, [0.0] * clients
    for _ in range(operations):
        client = min(range(clients), key=lambda c: clock[c])
        began = clock[client] + rng.random()
        point = began + rng.random()
        events.append([began, point, point + rng.random(), rng.choice(["get", ("add", 1)])])
        clock[client] = events[-1][2]
    answered = []
    for began, _point, ended, operation in sorted(events, key=lambda e: e[1]):
        state, answer = counter(state, operation)
        answered.append(Event(began, ended, operation, answer))
    return answered


@pytest.mark.parametrize("seed", range(20))
def test_long_histories_of_a_single_counter_pass(seed):
    """200 overlapping operations of six clients on one true counter are accepted."""
    assert find_violation(simulated(random.Random(seed)), counter, 0) is None


@pytest.mark.parametrize("seed", range(20))
def test_one_planted_fault_in_a_long_history_is_found(seed):
    """One answer that is off by one, among 200, is a violation."""
    rng = random.Random(seed)
    history = simulated(rng)
    adds = [i for i, event in enumerate(history) if event.operation != "get"]
    spoilt = rng.choice(adds)
    event = history[spoilt]
    history[spoilt] = Event(event.began, event.ended, event.operation, event.answer + 1)

    assert find_violation(history, counter, 0) is not None
