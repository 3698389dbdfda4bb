"""What runs in a data directory, asked of the processes themselves."""

import asyncio
from dataclasses import dataclass

from scic.mesh.health import Health, check
from scic.mesh.identity import find_process, supervisor_of
from scic.mesh.paths import MeshPaths
from scic.mesh.state import MeshState, ProcessRecord, read_state

_CHECK_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class ProcessReport:
    """One process, and how it is now."""

    record: ProcessRecord
    health: Health


def running_mesh(paths: MeshPaths) -> MeshState | None:
    """The mesh whose supervisor runs, if there is one."""
    state = read_state(paths.state)
    return state if state is not None and supervisor_of(state) is not None else None


async def report(state: MeshState) -> list[ProcessReport]:
    """Ask every process, all at once."""
    answers = await asyncio.gather(*(_health(record) for record in state.processes))
    return [ProcessReport(record, health) for record, health in zip(state.processes, answers, strict=True)]


async def _health(record: ProcessRecord) -> Health:
    # Somebody else may listen on the port of a process that is gone.
    if find_process(record.pid, record.started) is None:
        return Health.UNREACHABLE
    return await check(record.probe, _CHECK_SECONDS)
