"""The shop's scripts and styles, under URLs with one version that stands for all their content.

It is one version for all, because scripts import each other by paths relative to their own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache

import msgspec

from ecart_server.pages.assets import Asset, load_assets
from ecart_server.pages.prefix import at


class ShopAssets(msgspec.Struct, frozen=True):
    """The assets by their paths. `version` is a hash of all of them."""

    version: str
    by_path: Mapping[str, Asset]

    def path(self, name: str) -> str:
        """The URL of the file of this name, for the browser of this request."""
        return at(f"/assets/{self.version}/{name}")


@cache
def shop_assets() -> ShopAssets:
    """The assets that came with this package."""
    assets = load_assets("ecart_server.shop")
    joined = b"".join(name.encode() + asset.body for name, asset in assets.items())
    version = hashlib.sha256(joined).hexdigest()[:16]
    return ShopAssets(version, {f"/assets/{version}/{n}": asset for n, asset in assets.items()})
