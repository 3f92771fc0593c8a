"""The cart's session inside a framework's own: two entries of a mapping."""

from __future__ import annotations

from typing import Any

from ecart.http import Session
from ecart.http.login import id_of_former_session

SESSION_KEY = "ecart_cart_id"
_ID_KEY = "ecart_session_id"


def read_session(mapping: Any) -> Session | None:
    """The session that a framework's session holds, if it holds one."""
    cart_id, session_id = mapping.get(SESSION_KEY), mapping.get(_ID_KEY)
    if not isinstance(cart_id, str):
        return None
    if not isinstance(session_id, str):
        session_id = id_of_former_session(cart_id)
    return Session(cart_id, id=session_id)


def write_session(mapping: Any, session: Session) -> None:
    """Has a framework's session hold the session."""
    mapping[SESSION_KEY] = session.cart_id
    if session.id:
        mapping[_ID_KEY] = session.id
    else:
        mapping.pop(_ID_KEY, None)


def clear_session(mapping: Any) -> None:
    """Has a framework's session hold none."""
    mapping.pop(SESSION_KEY, None)
    mapping.pop(_ID_KEY, None)
