"""The HTTP API, written once for all frameworks: values in, values out, flows between.

Nothing here does I/O or knows a framework. An integration turns its framework's request into a
`Request`, has its `Host` answer it, and turns the `Response` back.
"""

from ecart.http.api import Api
from ecart.http.guards import declares_oversized_body
from ecart.http.login import SignIn, sign_in, sign_out, user_cart_id
from ecart.http.messages import Request, Response
from ecart.http.sessions import Session, Tokens, new_cart_id, session_of
from ecart.http.settings import HttpSettings

__all__ = [
    "Api",
    "HttpSettings",
    "Request",
    "Response",
    "Session",
    "SignIn",
    "Tokens",
    "declares_oversized_body",
    "new_cart_id",
    "session_of",
    "sign_in",
    "sign_out",
    "user_cart_id",
]
