"""The format of the service's log: lines of text, or JSON. It holds no personal data.

A line has the ids of the request and its trace. It never has a cart id, a SKU, an address or a
cookie. The message of an error may hold what a visitor typed, so of most errors only the class and
the place are logged; the message only of errors whose texts are the engine's or our own.
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

_SAFE_ERRORS = (EngineError, OutcomeUnknownError, StoreUnavailableError)
"""Errors whose messages are the engine's or ours, and name no cart."""

_Raised = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def configure_logs(form: LogFormat, level: LogLevel) -> None:
    """Configures all loggers of the process to write to standard error in this format."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    logging.basicConfig(level=max(_LEVELS[level], logging.INFO), handlers=[handler], force=True)
    # Debug output of other packages may hold anything; only ours is known to be safe.
    logging.getLogger("ecart").setLevel(_LEVELS[level])


class _SafeFormatter(logging.Formatter):
    """The base of both formats: formats errors without what visitors typed."""

    def message_of(self, record: logging.LogRecord) -> str:
        """The message; errors among its arguments are formatted by `safe_text`."""
        args: Any = record.args
        if isinstance(args, tuple):
            args = tuple(safe_text(arg) if isinstance(arg, BaseException) else arg for arg in args)
        return str(record.msg) % args if args else str(record.msg)

    def formatException(self, ei: _Raised) -> str:
        """The traceback without the message of the error, which may hold what a visitor typed."""
        parts = []
        error: BaseException | None = ei[1]
        while error is not None:
            parts.append("".join(traceback.format_tb(error.__traceback__)) + class_name(error))
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return "\nbecause of:\n".join(parts)


class TextLines(_SafeFormatter):
    """`LEVEL logger [request]: message`."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line, and the traceback of an error below it."""
        context = current.get()
        named = f" [{context.request_id}]" if context else ""
        line = f"{record.levelname} {record.name}{named}: {self.message_of(record)}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


class JsonLines(_SafeFormatter):
    """One JSON object a line; the fields are in docs/observability.md."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
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


def safe_text(error: BaseException) -> str:
    """The message of an error if it is safe to log; else its class and where it was raised."""
    if isinstance(error, _SAFE_ERRORS) or _is_of_catalog_file(error):
        return str(error)
    cause = error.__cause__ if isinstance(error, CatalogError) else None
    return (
        _class_and_place(error)
        if cause is None
        else f"{class_name(error)}, {_class_and_place(cause)}"
    )


def class_name(error: BaseException) -> str:
    """`KeyError`, `ecart.errors.CatalogError`."""
    kind = type(error)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def _is_of_catalog_file(error: BaseException) -> bool:
    """Whether a catalog's file is wrong. Errors of a lookup may name what a visitor asked for."""
    frames = list(traceback.walk_tb(error.__traceback__))
    return isinstance(error, CatalogError) and bool(
        frames and frames[-1][0].f_globals.get("__name__") == "ecart.catalog.file"
    )


def _class_and_place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return class_name(error)
    return f"{class_name(error)} at {frames[-1].filename}:{frames[-1].lineno}"
