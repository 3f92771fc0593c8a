"""The view's own files, under names that change with what is in them: kept for ever by browsers."""

from __future__ import annotations

import hashlib
from importlib.resources import files

import msgspec

_TYPES = {".css": "text/css; charset=utf-8"}


class Asset(msgspec.Struct, frozen=True):
    """A file that a page names."""

    path: str
    media: str
    body: bytes


def load_asset(name: str) -> Asset:
    """The file of this name in `static`, below a path that is its own."""
    body = (files("ecart_server.admin") / "static" / name).read_bytes()
    stem, dot, ending = name.rpartition(".")
    digest = hashlib.sha256(body).hexdigest()[:12]
    return Asset(f"/admin/static/{stem}.{digest}{dot}{ending}", _TYPES[dot + ending], body)
