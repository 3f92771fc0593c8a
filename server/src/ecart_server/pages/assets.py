"""Static files of the pages: read, compressed and hashed once, when the service starts.

An asset's URL contains a hash of content. Other content gets another URL, so browsers may cache an
asset for a year without asking again (`immutable`, RFC 8246).
"""

from __future__ import annotations

import gzip
import hashlib
from importlib.resources import files
from pathlib import PurePath

import msgspec

from ecart.http import Request, Response
from ecart.http.conditional import is_unchanged
from ecart.http.guards import accepts

IMMUTABLE = "public, max-age=31536000, immutable"
"""`Cache-Control` for a URL that contains a hash of the content."""

_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class Asset(msgspec.Struct, frozen=True):
    """A static file. `digest` is the SHA-256 of `body` in hex, `gzipped` the body compressed.

    The two forms have tags of their own: a strong tag names bytes (RFC 9110 §8.8.3.3).
    """

    name: str
    media_type: str
    body: bytes
    gzipped: bytes
    digest: str

    def response(self, request: Request) -> Response:
        """The file, gzipped if the client accepts that; 304 if it has this content already."""
        is_gzipped = accepts(request.headers.get("accept-encoding", ""), ("gzip",))
        etag = f'"{self.digest[:16]}{".gz" if is_gzipped else ""}"'
        headers = {"Cache-Control": IMMUTABLE, "ETag": etag, "Vary": "Accept-Encoding"}
        if is_unchanged(request, etag):
            return Response(status=304, headers=headers)
        body = self.body
        if is_gzipped:
            body, headers["Content-Encoding"] = self.gzipped, "gzip"
        return Response(status=200, headers={"Content-Type": self.media_type, **headers}, body=body)


def load_assets(package: str) -> dict[str, Asset]:
    """The assets in a package's folder `static` by file name, in alphabetical order."""
    found = sorted((files(package) / "static").iterdir(), key=lambda file: file.name)
    return {
        file.name: _asset(file.name, media_type, file.read_bytes())
        for file in found
        if (media_type := _MEDIA_TYPES.get(PurePath(file.name).suffix))
    }


def _asset(name: str, media_type: str, body: bytes) -> Asset:
    digest = hashlib.sha256(body).hexdigest()
    return Asset(name, media_type, body, gzip.compress(body, 9, mtime=0), digest)
