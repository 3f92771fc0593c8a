"""The text of a cart's state, in its field `s`; an open cart has none.

`gone` · `locked|<checkout id>|<deadline, ms>|<1 if additions are kept>` ·
`merging|<merge id>|<policy>|<target, percent-encoded>` · `merged|…` alike.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, unquote

from ecart.model import Lock, Merge, State

_STATE = re.compile(
    r"(?P<gone>gone)|(?P<locked>locked)\|(?P<checkout>[^|]+)\|(?P<deadline>\d{1,16})\|(?P<keeps>[01])"
    r"|(?P<merge>merging|merged)\|(?P<id>[^|]+)\|(?P<policy>sum|max|keep_target|replace)\|(?P<target>[^|]+)",
    re.ASCII,
)


def target_text(cart_id: str) -> str:
    """A target's cart id as a part between bars."""
    return quote(cart_id, safe="")


def read_merge(merge_id: str, policy: Any, target: str) -> Merge:
    """The merge that a state or a refusal names."""
    return Merge(merge_id, policy, unquote(target))


def read_state(text: str) -> tuple[State, Lock | None, Merge | None] | None:
    """The state, and the lock or the merge that it tells of; None if the text does not fit."""
    match = _STATE.fullmatch(text)
    if match is None:
        return None
    if match["gone"]:
        return "gone", None, None
    if match["locked"]:
        return (
            "locked",
            Lock(match["checkout"], int(match["deadline"]), match["keeps"] == "1"),
            None,
        )
    state: Any = match["merge"]
    return state, None, read_merge(match["id"], match["policy"], match["target"])
