"""Structured logs on stderr that cannot carry what users wrote: values are allowed by shape, not forbidden by name.

Anything long, nested or of an unknown type is withheld, so that a careless call leaks a length and not a document.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
import traceback
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final, cast

import structlog

from scic.errors import ScicError
from services.chassis.log_writer import LogWriter

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import TextIO

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
_SCALARS: Final = frozenset({bool, int, float, type(None)})


def get_logger(name: str) -> FilteringBoundLogger:
    """Make a logger: `log.info("constant event", key=value)`; what belongs to the request is bound already."""
    return cast("FilteringBoundLogger", structlog.get_logger(module=name))


def configure_logs(level: str, *, service: str) -> LogWriter:
    """Send structlog's and the standard library's records to stderr, as JSON lines or, on a terminal, for people.

    Lines below WARNING reach stderr within a fifth of a second (see LogWriter, which is returned), the rest at once.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    render: Processor = structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else _render_json
    writer = LogWriter(sys.stderr)

    def complete(_: object, level: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        # One step and not five: what a line costs in a server is above all the code that it touches.
        event["level"] = level
        event["timestamp"] = _now()
        event["service"] = service
        if "exc_info" in event:
            render_exception(_, level, event)
        return withhold(_, level, event)

    shared: list[Processor] = [structlog.contextvars.merge_contextvars, complete]
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=partial(_Lines, writer),
        cache_logger_on_first_use=True,
    )
    handler = _Handler(cast("TextIO", writer))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    # Libraries speak at WARNING: their INFO lines quote addresses and payloads at their pleasure.
    logging.basicConfig(handlers=[handler], level=max(number, logging.WARNING), force=True)
    return writer


class _Lines:
    """Where structlog's lines go: by their level, now or soon."""

    def __init__(self, writer: LogWriter, *_: object) -> None:
        def soon(line: str) -> None:
            writer.write(f"{line}\n")

        def now(line: str) -> None:
            writer.write(f"{line}\n")
            writer.flush()

        self.debug = self.info = soon
        self.warning = self.error = self.critical = now


class _Handler(logging.StreamHandler["TextIO"]):
    """Writes and flushes. Has no lock: the writer has one, and of two the collector might take the second first."""

    def createLock(self) -> None:  # noqa: N802  # the name is the library's
        """Do without."""
        self.lock = None

    def _at_fork_reinit(self) -> None:
        pass


def _now() -> str:
    """Write the time as structlog's TimeStamper does, at a quarter of its cost."""
    second, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return f"{_to_the_second(second)}.{nanoseconds // 1000:06}Z"


@lru_cache(maxsize=2)
def _to_the_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _render_json(_: object, __: str, event: MutableMapping[str, Any]) -> str:
    return _encode(event)


def withhold(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace every value that is not a short scalar (or a few of them), content by its name, and secrets."""
    for key, value in event.items():
        kind = type(value)
        if kind in _SCALARS or (kind is str and len(value) <= _MAX_VALUE_CHARACTERS and _is_harmless(key)):
            continue
        if key not in _FROM_THE_CHASSIS:
            event[key] = _treated(key, value)
    # An event of ours is a constant; one of a library may quote anything after its first line.
    event["event"] = str(event.get("event", "")).partition("\n")[0][:_MAX_VALUE_CHARACTERS]
    return event


def _treated(key: str, value: object) -> object:
    if isinstance(value, bool | int | float | None):
        return value
    if _is_secret(key):
        return "[redacted]"
    if key in _CONTENT_KEYS:
        return _measure(value)
    return _shown(value)


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


def _is_secret(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None


@lru_cache(maxsize=512)
def _is_harmless(key: str) -> bool:
    """Whether a short text of this name may be shown."""
    return key not in _CONTENT_KEYS and not _is_secret(key)


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


# Made once: `json.dumps` with an option makes an encoder a call.
_encode: Final = json.JSONEncoder(default=_measure).encode
