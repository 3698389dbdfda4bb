"""Tells a process from a later one that got the same pid."""

from collections.abc import Iterable

import psutil

from scic.mesh.state import MeshState

# The operating system's own clock may be corrected between two readings.
_SAME_START_SECONDS = 1.0


def find_process(pid: int, started: float) -> psutil.Process | None:
    """The process that had this pid and began at this time, if it still runs."""
    try:
        candidate = psutil.Process(pid)
        if abs(candidate.create_time() - started) > _SAME_START_SECONDS or candidate.status() == psutil.STATUS_ZOMBIE:
            return None
    except psutil.NoSuchProcess:
        return None
    return candidate


def supervisor_of(state: MeshState) -> psutil.Process | None:
    """The supervisor, if it still runs."""
    return find_process(state.pid, state.started)


def children_of(state: MeshState) -> list[psutil.Process]:
    """The recorded processes that still run."""
    found = (find_process(record.pid, record.started) for record in state.processes)
    return [process for process in found if process is not None]


def kill(processes: Iterable[psutil.Process], wait_seconds: float = 5.0) -> None:
    """SIGKILL, and wait until they are gone."""
    doomed = list(processes)
    for process in doomed:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(doomed, timeout=wait_seconds)
