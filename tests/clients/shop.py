"""What the adapters have in common: requests and answers as values, and a cookie jar."""

from __future__ import annotations

import json as json_module
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any, ClassVar

from msgspec.structs import asdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ecart.http import SignIn


@dataclass(frozen=True, kw_only=True)
class Setup:
    """How a deployment is set up.

    `catalog` is a file's path, or, but not in the service, a function. `patience`, which the
    service has not either, is how many seconds the store is given.
    """

    url: str
    secrets: tuple[str, ...] = ("a secret of the tests, the first",)
    catalog: Any = None
    currency: str = "USD"
    trusted_origins: tuple[str, ...] = ()
    office_keys: tuple[str, ...] = ()
    hold_seconds: int = 900
    keep_additions: bool = False
    patience: float | None = None
    first_ttl: int | None = None


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A request as it goes over the wire; `pieces` are those of its body."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    pieces: tuple[bytes, ...] = ()
    scheme: str = "http"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back. Header names are lower case; `set_cookies` are the values of Set-Cookie."""

    status: int
    headers: Mapping[str, str]
    set_cookies: tuple[str, ...]
    body: bytes

    @classmethod
    def of(cls, status: int, headers: list[tuple[str, str]], body: bytes) -> Answer:
        lower = [(name.lower(), value) for name, value in headers]
        plain = [(name, value) for name, value in lower if name != "set-cookie"]
        assert len(dict(plain)) == len(plain), f"a header stands twice: {plain}"
        cookies = tuple(value for name, value in lower if name == "set-cookie")
        return cls(status=status, headers=dict(plain), set_cookies=cookies, body=body)

    @property
    def json(self) -> Any:
        return json_module.loads(self.body)

    @property
    def code(self) -> str:
        """The code of a problem document."""
        assert self.headers["content-type"] == "application/problem+json", self
        code: str = self.json["code"]
        return code


class Shop:
    """One deployment. Subclasses set it up and answer `send`.

    Those of an integration have views of their own beside the cart: `/hello`; `/gift`, which adds
    a gift by `cart_from`; `/login`, which signs in the user that its body names (`{"user": 42}`),
    whoever that is, and tells what `sign_in` said; `/logout`. All but the first are POST.
    """

    cookie: ClassVar[str]
    """The name of the session cookie over plain HTTP."""
    takes_any_method: ClassVar[bool] = True
    """Whether the framework passes on a method that HTTP does not know, or answers 405 itself."""

    keeps_old_secrets: ClassVar[bool] = True
    """Whether sessions signed with an earlier secret are still known."""

    def __init__(self, setup: Setup) -> None:
        raise NotImplementedError

    def send(self, sent: Sent) -> Answer:
        raise NotImplementedError

    def close(self) -> None:
        """Gives back what the deployment holds."""

    def shopper(self, *, scheme: str = "http") -> Shopper:
        """A client that has never been here."""
        return Shopper(self, scheme)


def told(done: SignIn) -> dict[str, Any]:
    """What a shop's `/login` answers."""
    report = asdict(done.report)
    return {"cart_id": done.cart_id, "refused": done.refused, "report": report}


@dataclass
class Shopper:
    """A client with a cookie jar. Its answers' `json` is a property."""

    shop: Shop
    scheme: str = "http"
    cookies: dict[str, str] = field(default_factory=dict)

    def fresh(self) -> Shopper:
        """Another shopper of the same shop."""
        return self.shop.shopper(scheme=self.scheme)

    def request(
        self,
        method: str,
        target: str,
        *,
        json: Any = ...,
        body: bytes | list[bytes] | None = None,
        headers: Mapping[str, str | None] | None = None,
    ) -> Answer:
        """Sends a request. A list as `body` is sent in pieces, its length untold.

        A header that is None is left out where it would be sent by itself.
        """
        if json is not ...:
            body = json_module.dumps(json).encode()
        all_headers: dict[str, str | None] = {"host": "shop.test"}
        pieces: tuple[bytes, ...] = ()
        if body is not None:
            all_headers["content-type"] = "application/json"
            if isinstance(body, list):
                all_headers["transfer-encoding"] = "chunked"
                pieces = tuple(body)
            else:
                all_headers["content-length"] = str(len(body))
                pieces = (body,)
        if self.cookies:
            all_headers["cookie"] = "; ".join(f"{n}={v}" for n, v in self.cookies.items())
        all_headers |= {name.lower(): value for name, value in (headers or {}).items()}
        present = tuple((name, value) for name, value in all_headers.items() if value is not None)
        answer = self.shop.send(
            Sent(method=method, target=target, headers=present, pieces=pieces, scheme=self.scheme)
        )
        for text in answer.set_cookies:
            for name, morsel in SimpleCookie(text).items():
                self.cookies[name] = morsel.coded_value
                if morsel["max-age"] == "0" or morsel["expires"].endswith("1970 00:00:00 GMT"):
                    del self.cookies[name]
        return answer

    def get(self, target: str, **options: Any) -> Answer:
        return self.request("GET", target, **options)

    def post(self, target: str, **options: Any) -> Answer:
        return self.request("POST", target, **options)

    def patch(self, target: str, **options: Any) -> Answer:
        return self.request("PATCH", target, **options)

    def delete(self, target: str, **options: Any) -> Answer:
        return self.request("DELETE", target, **options)
