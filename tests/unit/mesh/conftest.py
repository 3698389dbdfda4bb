"""Stand-in processes for the tests of the mesh."""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Protocol

import pytest

from scic.mesh.ports import LOOPBACK, free_ports
from scic.mesh.spec import MeshPlan, Probe, ProbeKind, ProcessSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

STAND_IN = Path(__file__).with_name("stand_in.py")


class MakeSpec(Protocol):
    def __call__(
        self, name: str, *, argv: tuple[str, ...] = ..., env: Mapping[str, str] = ..., kind: ProbeKind = ...
    ) -> ProcessSpec: ...


class MakePlan(Protocol):
    def __call__(self, *waves: tuple[ProcessSpec, ...], stop_order: tuple[tuple[str, ...], ...] = ...) -> MeshPlan: ...


@pytest.fixture
def spec(tmp_path: Path) -> MakeSpec:
    """Specs of processes called `service-replica`: a gRPC stand-in unless another program is given."""
    ports = itertools.islice(free_ports(Random(os.getpid())), 50)

    def make(
        name: str,
        *,
        argv: tuple[str, ...] = (sys.executable, str(STAND_IN)),
        env: Mapping[str, str] | None = None,
        kind: ProbeKind = ProbeKind.GRPC,
    ) -> ProcessSpec:
        service, _, replica = name.rpartition("-")
        address = f"{LOOPBACK}:{(port := next(ports))}"
        return ProcessSpec(
            name=name,
            service=service,
            replica=int(replica),
            argv=argv,
            env={"STAND_IN_PORT": str(port), "STAND_IN_NAME": name, **(env or {})},
            cwd=tmp_path,
            log=tmp_path / f"{name}.log",
            address=address,
            probe=Probe(kind, address),
        )

    return make


@pytest.fixture
def plan() -> MakePlan:
    def make(*waves: tuple[ProcessSpec, ...], stop_order: tuple[tuple[str, ...], ...] = ()) -> MeshPlan:
        services = tuple(dict.fromkeys(spec.service for wave in waves for spec in wave))
        return MeshPlan(
            files={},
            preparations=(),
            waves=waves,
            stop_order=stop_order or tuple((service,) for service in reversed(services)),
            rolling=services,
        )

    return make
