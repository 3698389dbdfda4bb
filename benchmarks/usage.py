"""What processes use, by the operating system's books."""

import resource
from collections import Counter
from collections.abc import Iterable

import psutil

from benchmarks.laptop import MeshProcess


def cpu_seconds(processes: Iterable[MeshProcess]) -> Counter[str]:
    """User and system time so far, by service; replicas are added up. Subtract two of them with `spent`."""
    used: Counter[str] = Counter()
    for process in processes:
        times = psutil.Process(process.pid).cpu_times()
        used[process.service] += times.user + times.system  # type: ignore[assignment]  # Counter adds floats as well
    return used


def resident_megabytes(processes: Iterable[MeshProcess]) -> list[float]:
    """Resident memory of each process now, pages that it shares with others included; 1 MB is 10^6 bytes."""
    return [psutil.Process(process.pid).memory_info().rss / 1e6 for process in processes]


def children_cpu_seconds() -> float:
    """User and system time of all children of this process that have ended and were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
