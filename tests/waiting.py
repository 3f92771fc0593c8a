"""An `AsyncCart` behind the face of a `Cart`, so that a test is written once for both."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio


class Waiting:
    """Runs each coroutine of the wrapped object to its end."""

    def __init__(self, wrapped: Any, runner: asyncio.Runner) -> None:
        self._wrapped = wrapped
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._wrapped, name)
        if not inspect.iscoroutinefunction(found):
            return found

        def wait(*args: Any, **options: Any) -> Any:
            return self._runner.run(found(*args, **options))

        return wait
