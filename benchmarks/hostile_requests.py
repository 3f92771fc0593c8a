"""Hostile requests: a table of what a stranger may send to make a server work as long as possible.

Each row makes a request of about `size` bytes, most of them where the row aims: in the body, the
target, a header, the cookies, a form, or in what HTTP itself is made of. `largest` is what the
service takes, or more where it is to refuse it; `largest_elsewhere` is for an app behind a server
with other limits than the service's. Tests and the benchmark `hostile` both take their requests
from here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from ecart.http import Session
from ecart.integrations.cookies import SignedCookie
from ecart.tokens import TextSigner

SECRET = "a secret of hostile requests alone"
"""What the server is to sign with, so that some rows come from a visitor with a session."""
OFFICE_KEY = "a key of hostile requests alone"
ADMIN_KEY = "an admin key of hostile requests alone"

CART_ID = "hostile"
COOKIE = SignedCookie(SECRET).set_cookie(Session(CART_ID), is_secure=False).partition(";")[0]
FORM_TOKEN = TextSigner([SECRET], "ecart.form").sign(CART_ID)

Headers = tuple[tuple[str, str], ...]


class Sending(msgspec.Struct, frozen=True):
    """A request. `pieces` are those of its body: more than one are sent in chunks."""

    method: str
    target: str
    headers: Headers = ()
    pieces: tuple[bytes, ...] = ()

    @property
    def all_headers(self) -> Headers:
        """With the host, and with the header that says how the body ends."""
        framing = ("transfer-encoding", "chunked")
        if len(self.pieces) < 2:
            framing = ("content-length", str(sum(map(len, self.pieces))))
        names = {name for name, _ in self.headers}
        added = [("host", "shop.test"), *([framing] if self.pieces else [])]
        return (*(line for line in added if line[0] not in names), *self.headers)

    def on_wire(self) -> bytes:
        """As HTTP/1.1, on a connection that is closed after the response."""
        headers = (*self.all_headers, ("connection", "close"))
        lines = [f"{self.method} {self.target} HTTP/1.1", *map(": ".join, headers), "", ""]
        body = b"".join(self.pieces)
        if len(self.pieces) > 1:
            body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in self.pieces)
            body += b"0\r\n\r\n"
        return "\r\n".join(lines).encode("latin-1") + body


class Hostile(msgspec.Struct, frozen=True):
    """A row. `make` gives a request, or bytes for a server that reads them from a socket itself.

    Sizes are bytes.
    """

    name: str
    make: Callable[[int], Sending | bytes]
    largest: int
    largest_elsewhere: int

    def on_wire(self, size: int) -> bytes:
        """The bytes of the request at this size."""
        made = self.make(size)
        return made if isinstance(made, bytes) else made.on_wire()


JSON = (("content-type", "application/json"),)
FORM = (("content-type", "application/x-www-form-urlencoded"), ("cookie", COOKIE))
WITH_KEY = (("authorization", f"Bearer {OFFICE_KEY}"),)


def _filled(unit: str, size: int) -> str:
    """The unit as often as it fits."""
    return unit * (size // len(unit))


def _numbered(form: str, size: int) -> str:
    """The form with as many numbers as fit, one after the other; each has five digits."""
    count = size // len(form % 10_000)
    return "".join(form % number for number in range(10_000, 10_000 + count))


def _json(make: Callable[[int], bytes]) -> Callable[[int], Sending]:
    return lambda size: Sending("POST", "/cart/items", JSON, (make(size),))


def _options(make: Callable[[int], str]) -> Callable[[int], Sending]:
    def sku_and_options(size: int) -> bytes:
        return b'{"sku":"apple","options":{%s}}' % make(size - 50).encode()

    return _json(sku_and_options)


def _form(path: str, make: Callable[[int], str]) -> Callable[[int], Sending]:
    def with_token(size: int) -> Sending:
        fields = f"token={FORM_TOKEN}&"
        return Sending("POST", path, FORM, ((fields + make(size - len(fields))).encode(),))

    return with_token


def _target(method: str, start: str, unit: str, end: str = "") -> Callable[[int], Sending]:
    def filled(size: int) -> Sending:
        middle = _filled(unit, size - len(start) - len(end))
        return Sending(method, start + middle + end, WITH_KEY)

    return filled


def _header(
    method: str, target: str, name: str, make: Callable[[int], str]
) -> Callable[[int], Sending]:
    def with_header(size: int) -> Sending:
        body = (b'{"sku":"apple"}',) if method == "POST" else ()
        others = {"cookie": COOKIE, **(dict(JSON) if body else {})}
        others.pop(name, None)
        header = (name, make(size - len(name) - 2))
        return Sending(method, target, (*others.items(), header), body)

    return with_header


def _repeated(name: str, value: str) -> Callable[[int], Sending]:
    """A head of the most lines that are taken, each with an equal share of the size."""
    lines = 96

    def filled(size: int) -> Sending:
        line = (name, _filled(value, size // lines - len(name) - 4))
        return Sending("POST", "/cart/items", (*JSON, *[line] * lines), (b'{"sku":"apple"}',))

    return filled


_POST = b"POST /cart/items HTTP/1.1\r\nHost: shop.test\r\nContent-Type: application/json\r\n"
_CHUNKED = _POST + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
_END_OF_CHUNKS = b"0\r\n\r\n"
_ALIVE = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
_GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"


def _pipeline(request: bytes) -> Callable[[int], bytes]:
    return lambda size: request * (size // len(request)) + _GET + b"\r\n"


BODIES: Mapping[str, Callable[[int], Sending]] = {
    "unclosed texts": _json(lambda n: b'{"sku":"a","options":{' + b'"\\' * (n // 2 - 11)),
    "quotes": _json(lambda n: b'"' * n),
    "open brackets": _json(lambda n: b"[" * n),
    "open objects": _json(lambda n: b'{"a":' * (n // 5)),
    "digits": _json(lambda n: b'{"quantity":' + b"1" * (n - 13) + b"}"),
    "decimals": _json(lambda n: b"1." + b"1" * (n - 2)),
    "an exponent": _json(lambda n: b"1e" + b"9" * (n - 2)),
    "a small fraction": _json(lambda n: b"0." + b"0" * (n - 3) + b"1"),
    "names": _options(lambda n: _numbered('"%d":1,', n) + '"x":1'),
    "one name again and again": _options(lambda n: _filled('"a":1,', n) + '"a":1'),
    "names that are unknown": _json(
        lambda n: b"{" + _numbered('"%d":1,', n - 20).encode() + b'"sku":"apple"}'
    ),
    "backslashes": _json(lambda n: b'{"sku":"' + b"\\\\" * (n // 2 - 5) + b'"}'),
    "escapes": _json(lambda n: b'{"sku":"' + b"\\u202e" * (n // 6 - 2) + b'"}'),
    "half surrogates": _json(lambda n: b'{"sku":"' + b"\\ud800" * (n // 6 - 2) + b'"}'),
    "blanks": _json(lambda n: b" " * n),
    "arrays": _json(lambda n: b"[" + b"[]," * (n // 3 - 1) + b"[]]"),
    "fractions": _json(lambda n: b"[" + b"1.5," * (n // 4 - 1) + b"1]"),
    "whole fractions": _json(lambda n: b"[" + b"2.0," * (n // 4 - 1) + b"1]"),
    "a long SKU": _json(lambda n: b'{"sku":"' + b"a" * (n - 10) + b'"}'),
    "a long name": _options(lambda n: '"' + "~/" * (n // 2 - 5) + '":1'),
    "a long option": _options(lambda n: '"a":"' + "é" * (n // 2 - 5) + '"'),
    "no UTF-8": _json(lambda n: b'{"sku":"' + b"\xff" * (n - 10) + b'"}'),
    "a line id of slashes": lambda n: Sending(
        "PATCH",
        "/cart/items",
        JSON,
        (b'{"quantity":1,"line_id":"' + b"/:" * (n // 2 - 15) + b'"}',),
    ),
    "chunks of one byte": lambda n: Sending("POST", "/cart/items", JSON, (b" ",) * n),
}
FORMS: Mapping[str, Callable[[int], Sending]] = {
    "form: fields": _form("/shop/add", lambda n: _filled("a=b&", n)),
    "form: ampersands": _form("/shop/add", lambda n: "&" * n),
    "form: percents": _form("/shop/add", lambda n: "sku=" + "%41" * (n // 3 - 2)),
    "form: no percents": _form("/shop/add", lambda n: "sku=" + "%" * (n - 4)),
    "form: an option of brackets": _form("/shop/add", lambda n: "option:a=" + "[" * (n - 9)),
    "form: an option of digits": _form("/shop/add", lambda n: "option:a=" + "9" * (n - 9)),
    "form: an option of quotes": _form("/shop/add", lambda n: 'option:a={"' + "\\" * (n - 11)),
    "form: a long title": _form("/shop/remove", lambda n: "line_id=x&title=" + "<" * (n - 16)),
    "form: a long line id": _form("/shop/set", lambda n: "line_id=" + "/" * (n - 8)),
    "form: a long token": _form("/shop/add", lambda n: "token=" + "." * (n - 6)),
    "form: a long key": _form("/admin/login", lambda n: "key=" + "%C3" * (n // 3 - 2)),
}
TARGETS: Mapping[str, Callable[[int], Sending]] = {
    "path: check-outs": _target("POST", "/carts/x", "/checkout/y"),
    "path: empty check-outs": _target("POST", "/carts/x", "/checkout/"),
    "path: ends": _target("POST", "/carts/x/checkout/y", "/complete", "x"),
    "path: slashes": _target("GET", "/carts/", "/"),
    "path: slashes of a line": _target("DELETE", "/cart/items/", "/"),
    "path: items": _target("PATCH", "/cart/items/", "/items/"),
    "path: line ends": _target("GET", "/carts/", "%0A"),
    "path: percents": _target("GET", "/cart/operations/", "%25"),
    "path: no UTF-8": _target("GET", "/cart/operations/", "%ff"),
    "path: a long key": _target("GET", "/cart/operations/", "a"),
    "path: a long cart id": _target("GET", "/carts/", "%C3%A9"),
    "path: dots": _target("GET", "/cart/", "../"),
    "path: a method that is not allowed": _target("PUT", "/cart/items/", "a/"),
    "query: fields": _target("GET", "/?", "page=1&"),
    "query: ampersands": _target("GET", "/?", "&"),
    "query: a long SKU": _target("GET", "/pictures?sku=", "%C3%A9"),
    "query: a long page": _target("GET", "/?page=", "9"),
}
HEADERS: Mapping[str, Callable[[int], Sending]] = {
    "cookies: semicolons": _header("GET", "/cart", "cookie", lambda n: ";" * n),
    "cookies: many": _header("GET", "/cart", "cookie", lambda n: _filled("a=b; ", n)),
    "cookies: of ours": _header("GET", "/cart", "cookie", lambda n: _filled("ecart=a.b; ", n)),
    "cookies: blanks": _header("GET", "/cart", "cookie", lambda n: ";" + " " * (n - 2) + "x"),
    "cookies: quotes": _header(
        "GET", "/cart", "cookie", lambda n: 'a="' + '\\"' * (n // 2 - 3) + '"'
    ),
    "cookies: one that is long": _header(
        "GET", "/cart", "cookie", lambda n: "ecart=" + "." * (n - 6)
    ),
    "cookies: messages": _header("GET", "/", "cookie", lambda n: _numbered("ecart-note=%d.x; ", n)),
    "cookies: of operators": _header(
        "GET", "/admin", "cookie", lambda n: _filled("ecart-admin=x; ", n)
    ),
    "cookies: quotes of operators": _header(
        "GET", "/admin", "cookie", lambda n: 'a="' + '\\"' * (n // 2 - 3) + '"'
    ),
    "Accept: commas": _header("GET", "/cart", "accept", lambda n: "," * n),
    "Accept: media": _header("GET", "/cart", "accept", lambda n: _filled("a/b, ", n)),
    "Accept: weights": _header(
        "GET", "/cart", "accept", lambda n: "*/*" + _filled(";q=0.000", n - 3)
    ),
    "Accept: zeros": _header("GET", "/cart", "accept", lambda n: "*/*;q=0." + "0" * (n - 9) + "1"),
    "If-Match: tags": _header("DELETE", "/cart", "if-match", lambda n: '"", ' * (n // 4)),
    "If-Match: many tags": _header(
        "DELETE", "/cart", "if-match", lambda n: _numbered('"a.%d.b", ', n)
    ),
    "If-Match: codings": _header(
        "DELETE", "/cart", "if-match", lambda n: '"' + _filled("-gzip", n - 2) + '"'
    ),
    "If-Match: unclosed": _header("DELETE", "/cart", "if-match", lambda n: '"' + "a" * (n - 1)),
    "If-None-Match: tags": _header("GET", "/cart", "if-none-match", lambda n: 'W/"a",' * (n // 6)),
    "If-None-Match: blanks": _header(
        "GET", "/cart", "if-none-match", lambda n: '"a"' + " " * (n - 4) + "x"
    ),
    "Idempotency-Key": _header(
        "POST", "/cart/items", "idempotency-key", lambda n: '"' + "a" * (n - 1)
    ),
    "Idempotency-Key: numbers": _header(
        "POST", "/cart/items", "idempotency-key", lambda n: "~" + "1." * (n // 2)
    ),
    "Cart-Token": _header("GET", "/cart", "cart-token", lambda n: "." * n),
    "Content-Type": _header(
        "POST", "/cart/items", "content-type", lambda n: "application/json" + ";a=b" * (n // 4 - 4)
    ),
    "Content-Type: a quote": _header(
        "POST", "/cart/items", "content-type", lambda n: 'application/json;a="' + ";" * (n - 20)
    ),
    "Content-Length": _header("POST", "/cart/items", "content-length", lambda n: "0" * n),
    "Origin": _header("POST", "/cart/items", "origin", lambda n: "http://" + ":80" * (n // 3 - 3)),
    "Authorization": _header(
        "GET", "/carts/x", "authorization", lambda n: "Bearer" + " " * (n - 7) + "x"
    ),
    "Host": _header("GET", "/cart", "host", lambda n: "a." * (n // 2)),
    "Accept-Encoding": _header("GET", "/cart", "accept-encoding", lambda n: "gzip;q=0," * (n // 9)),
    "Accept-Language": _header("GET", "/hello", "accept-language", lambda n: "x-y;q=1," * (n // 8)),
    "X-Forwarded-For": _header(
        "GET", "/cart", "x-forwarded-for", lambda n: "127.0.0.1," * (n // 10)
    ),
    "traceparent": _header(
        "GET", "/cart", "traceparent", lambda n: f"cc-{'1' * 32}-{'1' * 16}-00-" + "-" * (n - 60)
    ),
    "Last-Event-ID": _header("HEAD", "/cart/events", "last-event-id", lambda n: "." * n),
    "TE": _header("GET", "/cart", "te", lambda n: _filled("trailers, ", n)),
    "Upgrade": _header("GET", "/cart", "upgrade", lambda n: _filled("h2c, ", n)),
}
HEADS: Mapping[str, Callable[[int], Sending]] = {
    "head: cookies": _repeated("cookie", "a=b; "),
    "head: If-Match": _repeated("if-match", '"a",'),
    "head: Accept": _repeated("accept", "a,"),
    "head: any header": _repeated("x-any", "y"),
}
WIRES: Mapping[str, Callable[[int], bytes]] = {
    "pipeline: requests": _pipeline(_ALIVE + b"\r\n"),
    "pipeline: requests to OPTIONS": _pipeline(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"),
    "pipeline: requests that are not found": _pipeline(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n"),
    "pipeline: bodies": _pipeline(_POST + b"Content-Length: 2\r\n\r\n{}"),
    "pipeline: chunked bodies": _pipeline(
        _POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"
    ),
    "wire: chunks of one byte": lambda n: _CHUNKED + b"1\r\na\r\n" * (n // 6) + _END_OF_CHUNKS,
    "wire: a chunk's extension": lambda n: (
        _CHUNKED + b"1;a=" + b"b" * n + b"\r\na\r\n" + _END_OF_CHUNKS
    ),
    "wire: extensions": lambda n: _CHUNKED + b"1;a=b\r\na\r\n" * (n // 10) + _END_OF_CHUNKS,
    "wire: trailers": lambda n: _CHUNKED + b"0\r\n" + b"a: b\r\n" * (n // 6) + b"\r\n",
    "wire: a chunk's size": lambda n: _CHUNKED + b"0" * n + b"1\r\na\r\n" + _END_OF_CHUNKS,
    "wire: lines": lambda n: _GET + b"a: b\r\n" * (n // 6) + b"\r\n",
    "wire: a line": lambda n: _GET + b"a: " + b"b" * n + b"\r\n\r\n",
    "wire: a name": lambda n: _GET + b"a" * n + b": b\r\n\r\n",
    "wire: folded lines": lambda n: _GET + b"a: b\r\n" + b" c\r\n" * (n // 4) + b"\r\n",
    "wire: blanks of a line": lambda n: _GET + b"a:" + b" \t" * (n // 2) + b"b\r\n\r\n",
    "wire: colons": lambda n: _GET + b":" * n + b"\r\n\r\n",
    "wire: line ends before a request": lambda n: b"\r\n" * (n // 2) + _GET + b"\r\n",
    "wire: a target": lambda n: _GET.replace(b"/healthz", b"/" + b"a" * n) + b"\r\n",
    "wire: a method": lambda n: _GET.replace(b"GET", b"A" * n) + b"\r\n",
    "wire: a version": lambda n: _GET.replace(b"1.1", b"1" * n) + b"\r\n",
    "wire: no HTTP": lambda n: b"\x16\x03\x01\x02" * (n // 4) + b"\r\n\r\n",
    "wire: an upgrade": lambda n: (
        _POST
        + b"Connection: Upgrade, close\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"1\r\n \r\n" * (n // 6)
        + _END_OF_CHUNKS
    ),
}

ROWS: tuple[Hostile, ...] = tuple(
    Hostile(name, make, largest, largest_elsewhere)
    for table, largest, largest_elsewhere in (
        (BODIES, 16_384, 16_384),
        (FORMS, 16_384, 16_384),
        (TARGETS, 8_192, 65_536),
        (HEADERS, 16_384, 65_536),
        (HEADS, 65_000, 65_536),
        (WIRES, 65_536, 0),
    )
    for name, make in table.items()
)
"""All rows. Of those that are bytes, an app behind another server sees nothing: 0."""
