"""Structured logs on stderr that cannot carry what users wrote: values are allowed by shape, not forbidden by name.

Anything long, nested or of an unknown type is withheld, so that a careless call leaks a length and not a document.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast

import structlog

from scic.errors import ScicError

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from structlog.typing import FilteringBoundLogger, Processor

_MAX_VALUE_CHARACTERS: Final = 160
_MAX_ITEMS: Final = 16
# What users write goes by these names in our API; short texts of theirs would pass the length rule.
_CONTENT_KEYS: Final = frozenset(
    {
        "answer", "body", "content", "contents", "context", "document", "evidence", "messages", "passage", "passages",
        "prompt", "query", "question", "sentence", "snippet", "text", "texts", "title", "turns",
    }
)  # fmt: skip
_SECRET_KEY: Final = re.compile(r"(?i)api_?key|authorization|bearer|cookie|credential|passw|secret|^key$|^token$")
_FROM_THE_CHASSIS: Final = frozenset({"event", "exception", "level", "logger", "timestamp"})


def get_logger(name: str) -> FilteringBoundLogger:
    """Make a logger: `log.info("constant event", key=value)`; what belongs to the request is bound already."""
    return cast("FilteringBoundLogger", structlog.get_logger(module=name))


def configure_logs(level: str, *, service: str) -> None:
    """Send structlog's and the standard library's records to stderr, as JSON lines or, on a terminal, for people."""
    number = logging.getLevelNamesMapping()[level.upper()]
    render: Processor = structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()

    def name_service(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["service"] = service
        return event

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        name_service,
        render_exception,
        withhold,
    ]
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    # Libraries speak at WARNING: their INFO lines quote addresses and payloads at their pleasure.
    logging.basicConfig(handlers=[handler], level=max(number, logging.WARNING), force=True)


def withhold(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace every value that is not a short scalar (or a few of them), content by its name, and secrets."""
    for key, value in event.items():
        if key in _FROM_THE_CHASSIS:
            continue
        if isinstance(value, bool | int | float | None):
            continue
        if _is_secret(key):
            event[key] = "[redacted]"
        elif key in _CONTENT_KEYS:
            event[key] = _measure(value)
        else:
            event[key] = _shown(value)
    # An event of ours is a constant; one of a library may quote anything after its first line.
    event["event"] = str(event.get("event", "")).partition("\n")[0][:_MAX_VALUE_CHARACTERS]
    return event


def render_exception(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Render the exception's types and frames, and its words only where they cannot quote a request."""
    exc_info = event.pop("exc_info", None)
    if not exc_info:
        return event
    if isinstance(exc_info, BaseException):
        error: BaseException | None = exc_info
    else:
        error = exc_info[1] if isinstance(exc_info, tuple) else sys.exc_info()[1]
    event["exception"] = _render(error)
    return event


def _render(error: BaseException | None) -> str:
    parts: list[str] = []
    while error is not None:
        parts.append("".join(traceback.format_tb(error.__traceback__)) + _describe(error))
        if isinstance(error, BaseExceptionGroup):
            parts += [f"one of its parts:\n{_render(part)}" for part in error.exceptions]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n\nwhich came after:\n\n".join(parts)


@lru_cache(maxsize=512)
def _is_secret(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None


def _describe(error: BaseException) -> str:
    name = type(error).__qualname__
    if isinstance(error, OSError | ScicError):
        return f"{name}: {str(error)[:_MAX_VALUE_CHARACTERS]}"
    return f"{name}: [{len(str(error))} characters withheld]"


def _shown(value: object) -> object:
    if isinstance(value, str):
        return value if len(value) <= _MAX_VALUE_CHARACTERS else _measure(value)
    if isinstance(value, bool | int | float | None):
        return value
    if isinstance(value, list | tuple) and len(value) <= _MAX_ITEMS:
        return [item if isinstance(item, bool | int | float) else _short(item) for item in value]
    return _measure(value)


def _short(value: object) -> object:
    return value if isinstance(value, str) and len(value) <= _MAX_VALUE_CHARACTERS else _measure(value)


def _measure(value: object) -> str:
    if isinstance(value, str | bytes | list | tuple | dict | set):
        return f"[{type(value).__name__} of {len(value)} withheld]"
    return f"[{type(value).__name__} withheld]"
