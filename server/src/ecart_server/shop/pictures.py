"""SVG pictures of products without an image: drawn by hand for the sample, else generated.

The hash of the SKU chooses shapes and colours; the text of the SKU is not in the picture.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_DRAWINGS = Path(__file__).parent / "drawings"
_PAPERS = ("#f6e3dc", "#f7ebcd", "#e4ecd9", "#d9ebe6", "#dce6f1", "#e9e1f0")
_INKS = (
    ("#c8553d", "#f2b880", "#588b8b"),
    ("#3d5a80", "#98c1d9", "#ee6c4d"),
    ("#606c38", "#dda15e", "#bc6c25"),
    ("#6d597a", "#e56b6f", "#eaac8b"),
    ("#2a9d8f", "#e9c46a", "#e76f51"),
    ("#355070", "#b56576", "#eaac8b"),
)
_SHAPES = (
    '<path d="M{x} {y}h{s}v{s}a{s} {s} 0 0 1-{s}-{s}z" fill="{c}"/>',
    '<path d="M{x1} {y1}h-{s}v-{s}a{s} {s} 0 0 1 {s} {s}z" fill="{c}"/>',
    '<path d="M{x} {y1}v-{s}h{s}a{s} {s} 0 0 1-{s} {s}z" fill="{c}"/>',
    '<circle cx="{xm}" cy="{ym}" r="{h}" fill="{c}"/>',
    '<path d="M{x} {ym}a{h} {h} 0 0 1 {s} 0z" fill="{c}"/>',
    '<path d="M{x} {y}h{h}v{s}h-{h}z" fill="{c}"/>',
    '<circle cx="{xm}" cy="{ym}" r="{q}" fill="{c}"/>',
)
_SIDE = 40
"""The side of a tile of the pattern, which is four tiles wide and three high."""


@cache
def _drawings() -> dict[str, str]:
    return {path.stem: path.read_text() for path in _DRAWINGS.glob("*.svg")}


def picture_of(sku: str) -> bytes:
    """The SVG document for a SKU, always the same."""
    digest = hashlib.sha256(sku.encode(errors="replace")).digest()
    drawing = _drawings().get(sku) or "".join(_pattern(digest))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 240 180">'
        f'<rect width="240" height="180" fill="{_PAPERS[digest[0] % len(_PAPERS)]}"/>'
        f"{drawing}</svg>"
    ).encode()


def _pattern(digest: bytes) -> Iterator[str]:
    inks = _INKS[digest[1] % len(_INKS)]
    for tile, (choice, ink) in enumerate(zip(digest[2:14], digest[14:26], strict=True)):
        row, column = divmod(tile, 4)
        x, y = 40 + column * _SIDE, 30 + row * _SIDE
        half = _SIDE // 2
        yield _SHAPES[choice % len(_SHAPES)].format(
            x=x, y=y, x1=x + _SIDE, y1=y + _SIDE, xm=x + half, ym=y + half,
            s=_SIDE, h=half, q=_SIDE // 4, c=inks[ink % len(inks)],
        )  # fmt: skip
