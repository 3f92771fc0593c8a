"""What the service writes to its log: lines for people, or JSON for machines; of nobody in person.

A line names the request and its trace. It never has a cart id, a SKU, an address or a cookie: of an
error it tells the class and the place, and the words only where they are the engine's or ours.
"""

from __future__ import annotations

import logging
import sys
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import msgspec

from ecart.errors import CatalogError, EngineError, OutcomeUnknownError, StoreUnavailableError
from ecart_server.observability.context import current
from ecart_server.settings import LogFormat, LogLevel

_LEVELS: dict[str, int] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

_ABOUT_NOBODY = (EngineError, OutcomeUnknownError, StoreUnavailableError)
"""Errors whose words are the engine's or ours, and name no cart."""

_Raised = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def configure_logs(form: LogFormat, level: LogLevel) -> None:
    """Has all loggers of the process write to stderr in this form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    logging.basicConfig(level=max(_LEVELS[level], logging.INFO), handlers=[handler], force=True)
    # What other packages say in detail may hold anything; only ours is known to name nobody.
    logging.getLogger("ecart").setLevel(_LEVELS[level])


class _Lines(logging.Formatter):
    """What both forms share: errors without what people typed."""

    def message_of(self, record: logging.LogRecord) -> str:
        """The message; errors among its arguments are told as `said_of` them."""
        args: Any = record.args
        if isinstance(args, tuple):
            args = tuple(said_of(arg) if isinstance(arg, BaseException) else arg for arg in args)
        return str(record.msg) % args if args else str(record.msg)

    def formatException(self, ei: _Raised) -> str:
        """The places that an error went through, and its class; the words may be a visitor's."""
        parts = []
        error: BaseException | None = ei[1]
        while error is not None:
            parts.append("".join(traceback.format_tb(error.__traceback__)) + class_of(error))
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return "\nbecause of:\n".join(parts)


class TextLines(_Lines):
    """`LEVEL logger [request]: message`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the places of an error below it."""
        context = current.get()
        named = f" [{context.request_id}]" if context else ""
        line = f"{record.levelname} {record.name}{named}: {self.message_of(record)}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


class JsonLines(_Lines):
    """One JSON object a line; the fields are in docs/observability.md."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self.message_of(record),
        }
        context = current.get()
        if context is not None:
            line["request_id"] = context.request_id
            if context.trace_id:
                line["trace_id"] = context.trace_id
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


def said_of(error: BaseException) -> str:
    """An error in words that are nobody's but ours."""
    if isinstance(error, _ABOUT_NOBODY) or _is_of_file(error):
        return str(error)
    cause = error.__cause__ if isinstance(error, CatalogError) else None
    return _placed(error) if cause is None else f"{class_of(error)}, {_placed(cause)}"


def class_of(error: BaseException) -> str:
    """`KeyError`, `ecart.errors.CatalogError`."""
    kind = type(error)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def _is_of_file(error: BaseException) -> bool:
    """What is wrong with a catalog's file is the shop's own; a lookup may name what was asked."""
    frames = list(traceback.walk_tb(error.__traceback__))
    return isinstance(error, CatalogError) and bool(
        frames and frames[-1][0].f_globals.get("__name__") == "ecart.catalog.file"
    )


def _placed(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return class_of(error)
    return f"{class_of(error)} at {frames[-1].filename}:{frames[-1].lineno}"
