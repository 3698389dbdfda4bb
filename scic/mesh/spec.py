"""A mesh as data: which processes there are, in which order they start and stop."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class ProbeKind(StrEnum):
    """How a process is asked whether it is well."""

    GRPC = "grpc"
    """grpc.health.v1 for the whole server."""
    HTTP = "http"
    """A GET that must answer 200."""
    TCP = "tcp"
    """A connection that must open."""
    REDIS = "redis"
    """A PING that must be answered."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One question about health."""

    kind: ProbeKind
    target: str
    """`host:port`, for HTTP followed by the path."""
    password: str = field(default="", repr=False)
    """For REDIS; empty where it wants none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program to run, its output going to a log file."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    """Added to the supervisor's own environment."""
    cwd: Path
    log: Path
    niceness: int = 0
    """How far it stands behind the supervisor where there are not enough processors for all, 0 to 19."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec(Command):
    """A process that shall run for as long as the mesh does; its name is `service-replica`."""

    service: str
    replica: int
    """From 1."""
    address: str
    """`host:port` at which it is called."""
    probe: Probe
    metrics: str | None = None
    """URL of its Prometheus page, if it has one."""
    healthy_within: float | None = None
    """Seconds from start to the first healthy answer, where the supervisor's own limit is too short for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshPlan:
    """Everything a supervisor needs to know."""

    files: Mapping[Path, str]
    """Files to write before anything starts, for this user only."""
    preparations: tuple[Command, ...]
    """Run one after another before the first wave; each must exit 0."""
    waves: tuple[tuple[ProcessSpec, ...], ...]
    """Started wave by wave: a wave together, the next when every process of it is healthy."""
    stop_order: tuple[tuple[str, ...], ...]
    """Services, stopped group by group."""
    rolling: tuple[str, ...]
    """Services whose replicas a rolling restart takes, in this order."""

    def processes(self) -> Iterator[ProcessSpec]:
        """Every process, in starting order."""
        for wave in self.waves:
            yield from wave
