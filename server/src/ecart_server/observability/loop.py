"""Measures how late the event loop runs what is due: the sign of code that blocks it."""

from __future__ import annotations

import asyncio

from ecart_server.observability.series import CellLayout, Cells, Family, observe

_INTERVAL = 0.5
_LAG = "ecart_event_loop_lag_seconds"

LOOP_FAMILIES = (
    Family(_LAG, "Seconds that the event loop was late, asked twice a second.", is_histogram=True),
)


async def watch_loop(layout: CellLayout, cells: Cells) -> None:
    """Measures the running loop twice a second, until it is cancelled."""
    loop, place = asyncio.get_running_loop(), layout.places(_LAG)[()]
    while True:
        due = loop.time() + _INTERVAL
        await asyncio.sleep(_INTERVAL)
        observe(cells, place, max(0.0, loop.time() - due))
