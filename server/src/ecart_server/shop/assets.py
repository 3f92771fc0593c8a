"""The pages' scripts and styles: read, compressed and named by their content once, at the start.

A name never means other content than before, so browsers keep it for a year (RFC 8246).
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec

from ecart.http import Request, Response

FOR_EVER = "public, max-age=31536000, immutable"
_STATIC = Path(__file__).parent / "static"
_MEDIA = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_REFUSED = re.compile(r"q=0(\.0*)?")


class Asset(msgspec.Struct, frozen=True):
    """A file, plain and compressed, and its entity tag."""

    media: str
    body: bytes
    packed: bytes
    tag: str

    def response(self, request: Request) -> Response:
        """The file as the client can have it, or that it has it already."""
        headers = {
            "Cache-Control": FOR_EVER,
            "ETag": self.tag,
            "Vary": "Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
        }
        if self.tag in request.headers.get("if-none-match", ""):
            return Response(status=304, headers=headers)
        body = self.body
        if takes_gzip(request.headers):
            body, headers["Content-Encoding"] = self.packed, "gzip"
        return Response(status=200, headers={"Content-Type": self.media, **headers}, body=body)


class Assets(msgspec.Struct, frozen=True):
    """All files of the pages, by path; one version stands for all of their content.

    One for all, because scripts name each other by paths relative to their own.
    """

    version: str
    files: Mapping[str, Asset]

    def path(self, name: str) -> str:
        """Where the file of this name is served."""
        return f"/assets/{self.version}/{name}"


@cache
def read_assets() -> Assets:
    """The files that came with this package."""
    files = sorted(file for file in _STATIC.iterdir() if file.suffix in _MEDIA)
    bodies = {file.name: file.read_bytes() for file in files}
    joined = b"".join(name.encode() + body for name, body in bodies.items())
    version = hashlib.sha256(joined).hexdigest()[:16]
    return Assets(
        version, {f"/assets/{version}/{name}": _asset(name, body) for name, body in bodies.items()}
    )


def _asset(name: str, body: bytes) -> Asset:
    tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    return Asset(_MEDIA[Path(name).suffix], body, gzip.compress(body, 9, mtime=0), tag)


def takes_gzip(headers: Mapping[str, str]) -> bool:
    """Whether the client has said that it can unpack gzip (RFC 9110 §12.5.3)."""
    for part in headers.get("accept-encoding", "").split(","):
        coding, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if coding == "gzip":
            return not any(_REFUSED.fullmatch(parameter) for parameter in parameters)
    return False
