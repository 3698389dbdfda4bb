"""Logs: JSON lines that cannot carry what users wrote."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from scic.errors import CORRUPT_CORPUS
from services.chassis.logs import configure_logs, get_logger, withhold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

USERS_WORDS = "Who murdered Roger Ackroyd?"


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logs("info", service="kitchen")
    yield lambda: [json.loads(line) for line in stderr.getvalue().splitlines()]
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers[:], root.level = handlers, level


def test_a_line_is_json_with_its_context(lines: Callable[[], list[dict[str, Any]]]) -> None:
    structlog.contextvars.bind_contextvars(request_id="r1")
    get_logger("kitchen.stove").info("request", status="OK", duration_ms=1.5)
    (line,) = lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "request",
        "level": "info",
        "module": "kitchen.stove",
        "service": "kitchen",
        "request_id": "r1",
        "status": "OK",
        "duration_ms": 1.5,
    }


def test_below_the_level_nothing_is_written(lines: Callable[[], list[dict[str, Any]]]) -> None:
    get_logger("x").debug("detail")
    logging.getLogger("library").info("chatter")
    assert lines() == []


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("question", USERS_WORDS, f"[str of {len(USERS_WORDS)} withheld]"),
        ("passages", [USERS_WORDS], "[list of 1 withheld]"),
        ("note", "x" * 161, "[str of 161 withheld]"),
        ("note", "x" * 160, "x" * 160),
        ("payload", {"question": USERS_WORDS}, "[dict of 1 withheld]"),
        ("payload", [[USERS_WORDS]], ["[list of 1 withheld]"]),
        ("payload", USERS_WORDS.encode(), f"[bytes of {len(USERS_WORDS)} withheld]"),
        ("payload", ValueError(USERS_WORDS), "[ValueError withheld]"),
        ("api_key", "sk-1234", "[redacted]"),
        ("authorization", "Bearer x", "[redacted]"),
        ("token", "abc", "[redacted]"),
        ("max_tokens", 800, 800),
        ("tokens", 12, 12),
        ("sources", ["docs", "code"], ["docs", "code"]),
        ("cached", True, True),
        ("reason", None, None),
    ],
)
def test_values_are_shown_only_when_they_cannot_be_content(key: str, value: object, shown: object) -> None:
    assert withhold(None, "info", {"event": "e", key: value})[key] == shown


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=20).filter(
            lambda key: key not in {"event", "exception", "level", "logger", "timestamp"}
        ),
        st.recursive(
            st.text(min_size=1, max_size=3).map(lambda text: text * 161)
            | st.binary(min_size=1, max_size=3).map(lambda raw: raw * 161),
            lambda inner: (
                st.lists(inner, min_size=1, max_size=4)
                | st.dictionaries(st.text(max_size=3), inner, min_size=1, max_size=4)
            ),
            max_leaves=6,
        ),
        min_size=1,
        max_size=4,
    )
)
def test_no_long_text_passes_under_any_name(event: dict[str, Any]) -> None:
    shown = json.dumps(withhold(None, "info", {"event": "e"} | dict(event)))
    assert len(shown) < 100 + sum(len(json.dumps(key)) + 16 * 40 + 40 for key in event)


def test_an_exception_shows_its_frames_and_not_its_words(lines: Callable[[], list[dict[str, Any]]]) -> None:
    log = get_logger("x")

    def look_up() -> None:
        try:
            os.environ[USERS_WORDS]
        except KeyError as error:
            raise ValueError(USERS_WORDS) from error

    try:
        look_up()
    except ValueError:
        log.exception("unexpected error")
    (line,) = lines()
    assert USERS_WORDS not in json.dumps(line)
    assert "ValueError: [" in line["exception"]
    assert "KeyError: [" in line["exception"]
    assert "test_an_exception_shows_its_frames" in line["exception"]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FileNotFoundError(2, "No such file or directory", "/data"), "No such file or directory: '/data'"),
        (CORRUPT_CORPUS.error("The file /data/x ends early."), "The file /data/x ends early."),
    ],
    ids=["operating system", "catalogue"],
)
def test_words_that_are_not_the_users_are_shown(
    lines: Callable[[], list[dict[str, Any]]], error: Exception, words: str
) -> None:
    get_logger("x").error("failed", exc_info=error)
    assert words in lines()[0]["exception"]


async def test_a_library_that_quotes_an_exception_is_cut_at_its_first_line(
    lines: Callable[[], list[dict[str, Any]]],
) -> None:
    asyncio.get_running_loop().call_exception_handler(
        {"message": "Task exception was never retrieved", "exception": ValueError(USERS_WORDS)}
    )
    (line,) = lines()
    assert line["logger"] == "asyncio"
    assert line["event"] == "Task exception was never retrieved"
    assert USERS_WORDS not in json.dumps(line)
