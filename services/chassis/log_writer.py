"""Lines of a log on their way to a file: what is urgent at once, the rest a few times a second."""

from __future__ import annotations

import atexit
import contextlib
import threading
import time
from collections import deque
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing import TextIO

_INTERVAL_SECONDS: Final = 0.2
_MAX_WAITING: Final = 512


class LogWriter:
    """Gathers lines and writes them in order, so that a request does not pay for two system calls.

    A line is written at once when it is the first for a fifth of a second, else within that time, by a thread. An
    urgent one is written at once, behind those that wait; the rest at the interpreter's end. So SIGTERM, which drains
    the server, loses nothing; SIGKILL, or a crash of the interpreter, at most the lines of a fifth of a second that
    were not urgent.

    Any thread may write. Where more than 512 lines wait, whoever comes next writes them, and waits for the file.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._lines: deque[str] = deque()
        self._written = time.monotonic() - _INTERVAL_SECONDS
        # Entered again by the same thread when the collector runs within and something that it collects is logged.
        self._writing = threading.RLock()
        self._starting = threading.RLock()
        # No Event: the collector may run in the middle of a `put`, and nothing of it waits for a lock then.
        self._wakes: SimpleQueue[None] = SimpleQueue()
        self._awake = False
        self._thread: threading.Thread | None = None
        atexit.register(self.flush)

    def write(self, line: str) -> None:
        """Take a line, its end included."""
        self._lines.append(line)
        if len(self._lines) >= _MAX_WAITING:
            self.flush()
        elif not self._awake and not self._wrote_at_once():
            self._wake()

    def flush(self) -> None:
        """Write what waits."""
        with self._writing:
            lines: list[str] = []
            while self._lines:
                lines.append(self._lines.popleft())
            # A request does not fail because nobody reads the log any more, or the disk is full.
            with contextlib.suppress(OSError):
                if lines:
                    self._file.write("".join(lines))
                    self._file.flush()
            self._written = time.monotonic()

    def _wrote_at_once(self) -> bool:
        if time.monotonic() - self._written < _INTERVAL_SECONDS or not self._writing.acquire(blocking=False):
            return False
        try:
            self.flush()
        finally:
            self._writing.release()
        return True

    def _wake(self) -> None:
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._write_now_and_then, name="log", daemon=True)
                    self._thread.start()
        self._awake = True
        self._wakes.put(None)

    def _write_now_and_then(self) -> None:
        while True:
            self._wakes.get()
            time.sleep(_INTERVAL_SECONDS)
            self._awake = False
            self.flush()
