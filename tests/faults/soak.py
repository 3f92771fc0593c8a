"""How much the random tests do: bounded by default, long with ECART_SOAK=1; and their seed.

The seed is 1 by default and drawn anew for each soak, unless ECART_SEED gives it. Every test
prints its seed, so that what failed can be run again.
"""

from __future__ import annotations

import os
import random

IS_SOAK = os.environ.get("ECART_SOAK") == "1"
SEED = os.environ.get("ECART_SEED") or (
    str(random.SystemRandom().getrandbits(32)) if IS_SOAK else "1"
)
TIMEOUT = 7200 if IS_SOAK else 120
"""Seconds that one test may take."""


def rounds(default: int, soak: int) -> int:
    """How often, by default and in a soak."""
    return soak if IS_SOAK else default
