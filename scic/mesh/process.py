"""One running program: its process, its log, its end."""

import asyncio
import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from scic.mesh import die_with_parent
from scic.mesh.race import race
from scic.mesh.spec import Command

_LOG_LIMIT_BYTES = 16 * 2**20
_TAIL_BYTES = 16_384
_TAIL_LINES = 12


@dataclass(frozen=True, slots=True)
class Running:
    """A program that was started."""

    command: Command
    process: asyncio.subprocess.Process
    started: float
    """Its beginning by the operating system, in seconds since 1970: with the pid it names one process for good."""
    since: float
    """The same moment by the monotonic clock."""
    log_offset: int
    """Where in the log its own lines begin."""

    @property
    def pid(self) -> int:
        """The process id, which is the program's own."""
        return self.process.pid

    async def wait(self) -> int:
        """The exit code, once it ended; the negative signal number if a signal ended it."""
        return await self.process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; none is sent to a process that ended."""
        with suppress(ProcessLookupError):
            self.process.send_signal(number)

    async def stop(self, grace_seconds: float, hurry: asyncio.Event) -> None:
        """SIGTERM, and SIGKILL after the grace or as soon as somebody is in a hurry."""
        self.signal(signal.SIGTERM)
        if await race(self.wait(), hurry.wait(), timeout_seconds=grace_seconds) != 0:
            self.signal(signal.SIGKILL)
            await self.wait()

    def last_words(self) -> str:
        """Its last log lines."""
        with self.command.log.open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(self.log_offset, end - _TAIL_BYTES))
            lines = log.read().decode("utf-8", errors="replace").strip().splitlines()
        return "\n".join(lines[-_TAIL_LINES:])


async def start(command: Command) -> Running:
    """Start a program; it leaves the terminal's process group, so that Ctrl-C reaches the supervisor alone."""
    _rotate(command.log)
    wrapper = (sys.executable, "-I", "-S", die_with_parent.__file__, str(os.getpid()))
    with command.log.open("ab") as log:
        offset = log.seek(0, os.SEEK_END)
        process = await asyncio.create_subprocess_exec(
            *wrapper,
            *command.argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=asyncio.subprocess.STDOUT,
            cwd=command.cwd,
            env={**os.environ, **command.env},
            start_new_session=True,
        )
    try:
        if command.niceness:
            own = os.getpriority(os.PRIO_PROCESS, 0)
            os.setpriority(os.PRIO_PROCESS, process.pid, min(own + command.niceness, 19))
        started = psutil.Process(process.pid).create_time()
    except (psutil.NoSuchProcess, ProcessLookupError):  # it ended already; whoever waits for it will see how
        started = time.time()
    return Running(command, process, started, time.monotonic(), offset)


def _rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > _LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".log.1"))
