"""How late the event loop comes to what is due: the sign of something that blocks it."""

from __future__ import annotations

import asyncio

from ecart_server.observability.series import Cells, Family, Layout, observe

_EVERY = 0.5
_LAG = "ecart_event_loop_lag_seconds"

FAMILIES = (
    Family(_LAG, "Seconds that the event loop was late, asked twice a second.", is_histogram=True),
)


async def watch_loop(layout: Layout, cells: Cells) -> None:
    """Looks at the running loop until it is cancelled."""
    loop, place = asyncio.get_running_loop(), layout.places(_LAG)[()]
    while True:
        due = loop.time() + _EVERY
        await asyncio.sleep(_EVERY)
        observe(cells, place, max(0.0, loop.time() - due))
