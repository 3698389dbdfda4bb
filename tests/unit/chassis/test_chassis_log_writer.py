"""Lines of a log: in order, urgent ones at once, the rest soon, and all of them at the end."""

from __future__ import annotations

import asyncio
import io
import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from services.chassis.log_writer import LogWriter
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[3]


@pytest.fixture
def file() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def write(file: io.StringIO) -> Callable[[int], None]:
    writer = LogWriter(file)
    return lambda number: writer.write(f"{number}\n")


def numbers(count: int) -> str:
    return "".join(f"{number}\n" for number in range(count))


def test_the_first_line_is_written_at_once(file: io.StringIO, write: Callable[[int], None]) -> None:
    write(0)
    assert file.getvalue() == "0\n"


async def test_what_comes_fast_is_written_soon_and_in_order(file: io.StringIO, write: Callable[[int], None]) -> None:
    for number in range(100):
        write(number)
    await eventually("all lines are in the file", lambda: file.getvalue() == numbers(100))


async def test_later_lines_are_written_too(file: io.StringIO, write: Callable[[int], None]) -> None:
    for count in range(3):
        write(2 * count)
        write(2 * count + 1)
        await eventually("both lines are in the file", lambda: file.getvalue() == numbers(2 * count + 2))  # noqa: B023


def test_a_flush_writes_what_waits(file: io.StringIO) -> None:
    writer = LogWriter(file)
    for number in range(3):
        writer.write(f"{number}\n")
    writer.flush()
    assert file.getvalue() == numbers(3)


async def test_threads_lose_nothing(file: io.StringIO, write: Callable[[int], None]) -> None:
    def write_many() -> None:
        for number in range(1000):
            write(number)

    threads = [threading.Thread(target=write_many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    await eventually(
        "all lines are in the file",
        lambda: sorted(file.getvalue().splitlines()) == sorted(numbers(1000).splitlines() * 4),
    )


class Slow(io.StringIO):
    """A file that does not take more before it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[str] = []
        self.goes_on = threading.Event()

    def write(self, text: str) -> int:
        self.taken.append(text)
        if len(self.taken) > 1:
            assert self.goes_on.wait(60)
        return len(text)


async def test_a_slow_file_holds_nobody_up_until_many_lines_wait() -> None:
    file = Slow()
    writer = LogWriter(file)
    for number in range(2):
        writer.write(f"{number}\n")
    await eventually("the thread is writing", lambda: len(file.taken) == 2)
    await asyncio.sleep(0.5)  # longer than lines wait: the next one would be written at once
    for number in range(2, 400):
        writer.write(f"{number}\n")
    assert len(file.taken) == 2
    file.goes_on.set()
    await eventually("all lines are in the file", lambda: "".join(file.taken) == numbers(400))


def test_many_lines_do_not_wait_for_the_thread() -> None:
    file = io.StringIO()
    writer = LogWriter(file)
    for number in range(100_000):
        writer.write(f"{number}\n")
    assert len(file.getvalue()) > len(numbers(100_000)) - 512 * len("99999\n")


class Broken(io.StringIO):
    """A pipe that nobody reads any more."""

    def write(self, _: str) -> int:
        raise BrokenPipeError


def test_a_log_that_nobody_reads_fails_no_request() -> None:
    writer = LogWriter(Broken())
    writer.write("soup\n")
    writer.flush()


PROGRAM = """
import logging, os, signal, sys
from services.chassis.logs import configure_logs, get_logger

configure_logs("info", service="kitchen")
log = get_logger("kitchen.stove")
for number in range(100):
    log.info("request", number=number)
match sys.argv[1]:
    case "warning":
        log.warning("hot", number=100)
        os.kill(os.getpid(), signal.SIGKILL)
    case "library":
        logging.getLogger("library").warning("hot")
        os.kill(os.getpid(), signal.SIGKILL)
    case "failure":
        raise SystemExit(3)
"""


@pytest.mark.parametrize(
    ("mode", "code", "urgent"),
    [("end", 0, []), ("failure", 3, []), ("warning", -signal.SIGKILL, ["hot"]), ("library", -signal.SIGKILL, ["hot"])],
    ids=["end", "failure", "a warning before SIGKILL", "a library's warning before SIGKILL"],
)
def test_a_process_leaves_all_of_its_lines(mode: str, code: int, urgent: list[str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, mode], cwd=ROOT, capture_output=True, timeout=60, check=False, text=True
    )
    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    assert ended.returncode == code
    assert [line["number"] for line in lines if line["event"] == "request"] == list(range(100))
    assert [line["event"] for line in lines[100:]] == urgent


def test_a_writer_that_ends_with_its_process_leaves_all_of_its_lines() -> None:
    program = """
import sys
from services.chassis.log_writer import LogWriter
writer = LogWriter(sys.stderr)
for number in range(100):
    writer.write(f"{number}\\n")
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, timeout=60, check=True, text=True
    )
    assert ended.stderr == numbers(100)
