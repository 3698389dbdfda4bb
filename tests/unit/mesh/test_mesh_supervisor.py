"""The supervisor with real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scic.mesh.errors import MeshError
from scic.mesh.events import Event, EventKind
from scic.mesh.health import Health, check
from scic.mesh.keeper import Policy, back_off, how_it_ended
from scic.mesh.race import race
from scic.mesh.spec import Command, Probe, ProbeKind
from scic.mesh.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from scic.mesh.spec import MeshPlan

    from .conftest import MakePlan, MakeSpec

QUICK = Policy(first_restart_after=0.05, settle=0.0, stop_within=5.0, healthy_within=20.0)
SLEEP = (sys.executable, "-c", "import time; print('sleeping', flush=True); time.sleep(60)")


class Watcher:
    """Remembers every event."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._news = asyncio.Condition()

    def hear(self, event: Event) -> None:
        self.events.append(event)

    def names(self, kind: EventKind) -> list[str]:
        return [event.name for event in self.events if event.kind is kind]

    async def until(self, kind: EventKind, count: int = 1, name: str | None = None) -> None:
        async with asyncio.timeout(20):
            while len([1 for seen in self.names(kind) if name in (None, seen)]) < count:  # noqa: ASYNC110 - by polling
                await asyncio.sleep(0.02)


@asynccontextmanager
async def running(plan: MeshPlan, watcher: Watcher, policy: Policy = QUICK) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(plan, tell=watcher.hear, policy=policy, rng=Random(1))
    task = asyncio.create_task(supervisor.run())
    ready = watcher.until(EventKind.READY)
    try:
        assert await race(asyncio.wait({task}), ready) == 1, task
        yield supervisor
    finally:
        supervisor.stop()
        await task


def pids(supervisor: Supervisor) -> dict[str, int]:
    return {keeper.spec.name: keeper.running.pid for keeper in supervisor.keepers if keeper.running}


def no_process_of(tmp_path: Path) -> bool:
    """Whether no process works in this test's directory."""
    here = str(tmp_path)
    return not [process for process in psutil.Process().children(recursive=True) if process.cwd() == here]


async def test_a_wave_starts_when_the_one_before_is_healthy(spec: MakeSpec, plan: MakePlan, tmp_path: Path) -> None:
    watcher = Watcher()
    first, second = (spec("stage-1"), spec("stage-2")), (spec("front-1"),)
    async with running(plan(first, second), watcher) as supervisor:
        order = [(event.kind, event.name) for event in watcher.events]
        for stage in ("stage-1", "stage-2"):
            assert order.index((EventKind.HEALTHY, stage)) < order.index((EventKind.STARTING, "front-1"))
        assert set(pids(supervisor)) == {"stage-1", "stage-2", "front-1"}
        for process in plan(first, second).processes():
            assert await check(process.probe) is Health.HEALTHY
    assert no_process_of(tmp_path)


async def test_a_process_stands_behind_the_supervisor_as_far_as_planned(spec: MakeSpec, plan: MakePlan) -> None:
    own = psutil.Process().nice()
    waves = (replace(spec("stage-1"), niceness=3), spec("front-1"))
    async with running(plan(waves), Watcher()) as supervisor:
        found = {name: psutil.Process(pid).nice() - own for name, pid in pids(supervisor).items()}
    assert found == {"stage-1": 3, "front-1": 0}


async def test_services_stop_in_the_order_of_the_plan(spec: MakeSpec, plan: MakePlan) -> None:
    watcher = Watcher()
    waves = ((spec("stage-1"),), (spec("front-1"),), (spec("edge-1"),))
    async with running(plan(*waves, stop_order=(("front",), ("edge",), ("stage",))), watcher):
        pass
    assert watcher.names(EventKind.STOPPED) == ["front-1", "edge-1", "stage-1"]


async def test_a_killed_process_is_started_again_on_the_same_port(spec: MakeSpec, plan: MakePlan) -> None:
    watcher = Watcher()
    one = spec("stage-1")
    async with running(plan((one,)), watcher) as supervisor:
        before = pids(supervisor)["stage-1"]
        for times in (1, 2):
            os.kill(pids(supervisor)["stage-1"], signal.SIGKILL)
            await watcher.until(EventKind.HEALTHY, times + 1)
        assert pids(supervisor)["stage-1"] != before
        assert await check(one.probe) is Health.HEALTHY
    assert [event.detail for event in watcher.events if event.kind is EventKind.ENDED] == ["was ended by SIGKILL"] * 2


@pytest.mark.parametrize(
    ("argv", "env", "says"),
    [
        (None, {"STAND_IN_FAIL": "no such folder"}, ["bad-1 ended with exit code 1", "cannot start: no such folder"]),
        (SLEEP, {}, ["bad-1 was not healthy within 1 s", "sleeping"]),
        (("/no/such/program",), {}, ["bad-1 ended with exit code 1", "/no/such/program"]),
    ],
    ids=["ends", "never healthy", "no program"],
)
async def test_a_process_that_does_not_come_up_stops_everything(
    spec: MakeSpec,
    plan: MakePlan,
    tmp_path: Path,
    argv: tuple[str, ...] | None,
    env: dict[str, str],
    says: list[str],
) -> None:
    bad = spec("bad-1", env=env) if argv is None else spec("bad-1", argv=argv, env=env)
    policy = replace(QUICK, healthy_within=1.0) if argv == SLEEP else QUICK
    good = spec("good-1", kind=ProbeKind.TCP)
    supervisor = Supervisor(plan((good,), (bad,)), tell=Watcher().hear, policy=replace(policy, stop_within=3.0))
    with pytest.raises(MeshError) as caught:
        await supervisor.run()
    for words in says:
        assert words in str(caught.value)
    assert no_process_of(tmp_path)


async def test_only_the_lines_of_the_last_start_are_its_last_words(spec: MakeSpec, plan: MakePlan) -> None:
    bad = spec("bad-1", env={"STAND_IN_FAIL": "today"})
    bad.log.write_text("an older line\n")
    with pytest.raises(MeshError) as caught:
        await Supervisor(plan((bad,)), tell=Watcher().hear, policy=QUICK).run()
    assert "older" not in str(caught.value)
    assert bad.log.read_text().startswith("an older line\n")


async def test_a_preparation_that_fails_is_named_and_nothing_starts(
    spec: MakeSpec, plan: MakePlan, tmp_path: Path
) -> None:
    failing = Command(
        name="model",
        argv=(sys.executable, "-c", "import sys; sys.exit('disk full')"),
        env={},
        cwd=tmp_path,
        log=tmp_path / "model.log",
    )
    watcher = Watcher()
    prepared = replace(plan((spec("stage-1"),)), preparations=(failing,))
    with pytest.raises(MeshError, match=r"Preparing the model ended with exit code 1[\s\S]*disk full"):
        await Supervisor(prepared, tell=watcher.hear, policy=QUICK).run()
    assert not watcher.names(EventKind.STARTING)


async def test_stop_during_the_start_leaves_no_process(spec: MakeSpec, plan: MakePlan, tmp_path: Path) -> None:
    watcher = Watcher()
    supervisor = Supervisor(plan((spec("slow-1", argv=SLEEP), spec("slow-2", argv=SLEEP))), tell=watcher.hear)
    task = asyncio.create_task(supervisor.run())
    await watcher.until(EventKind.STARTING)
    supervisor.stop()
    await asyncio.wait_for(task, 10)
    assert no_process_of(tmp_path)


@pytest.mark.parametrize(("stop_within", "hurried"), [(0.3, False), (60.0, True)], ids=["in time", "in a hurry"])
async def test_a_process_that_ignores_sigterm_is_killed(
    spec: MakeSpec, plan: MakePlan, tmp_path: Path, stop_within: float, hurried: bool
) -> None:
    stubborn = (
        "import signal, socket, os, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "server = socket.create_server(('127.0.0.1', int(os.environ['STAND_IN_PORT'])))\n"
        "time.sleep(60)\n"
    )
    one = spec("stubborn-1", argv=(sys.executable, "-c", stubborn), kind=ProbeKind.TCP)
    watcher = Watcher()
    async with running(plan((one,)), watcher, replace(QUICK, stop_within=stop_within)) as supervisor:
        supervisor.stop()
        if hurried:
            await watcher.until(EventKind.STOPPING)
            supervisor.stop()
    assert no_process_of(tmp_path)


async def test_a_rolling_restart_takes_one_replica_after_the_other(spec: MakeSpec, plan: MakePlan) -> None:
    watcher = Watcher()
    stages, front = (spec("stage-1"), spec("stage-2")), (spec("front-1"),)
    async with running(plan(stages, front), watcher) as supervisor:
        before = pids(supervisor)
        watcher.events.clear()
        await supervisor.rolling_restart("stage")
        after = pids(supervisor)
        changed = {name for name in before if before[name] != after[name]}
    assert changed == {"stage-1", "stage-2"}
    steps = [EventKind.STOPPING, EventKind.STOPPED, EventKind.STARTING, EventKind.HEALTHY]
    expected = [(kind, name) for name in ("stage-1", "stage-2") for kind in steps]
    assert [(event.kind, event.name) for event in watcher.events][: len(expected)] == expected


async def test_a_service_without_replicas_is_not_restarted_in_turn(spec: MakeSpec, plan: MakePlan) -> None:
    mesh = replace(plan((spec("stage-1"), spec("store-1"))), rolling=("stage",))
    async with running(mesh, Watcher()) as supervisor:
        before = pids(supervisor)
        with pytest.raises(MeshError, match="'store' cannot be restarted in turn: choose one of stage"):
            await supervisor.rolling_restart("store")
        assert pids(supervisor) == before


async def test_a_restarted_process_is_kept_alive_too(spec: MakeSpec, plan: MakePlan) -> None:
    watcher = Watcher()
    async with running(plan((spec("stage-1"),)), watcher) as supervisor:
        await supervisor.rolling_restart(None)
        os.kill(pids(supervisor)["stage-1"], signal.SIGKILL)
        await watcher.until(EventKind.HEALTHY, 3)


@given(ends=st.integers(1, 5000), seed=st.integers())
def test_the_back_off_grows_jittered_and_is_bounded(ends: int, seed: int) -> None:
    policy = Policy()
    waited = back_off(policy, ends, Random(seed))
    longest = min(policy.slowest_restart_after, policy.first_restart_after * 2 ** min(ends - 1, 32))
    assert longest / 2 <= waited <= longest


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "ended with exit code 0"),
        (2, "ended with exit code 2"),
        (-9, "was ended by SIGKILL"),
        (-64, "was ended by SIGRTMAX"),
        (-50, "was ended by signal 50"),
    ],
)
def test_how_it_ended(code: int, words: str) -> None:
    assert how_it_ended(code) == words


@pytest.mark.parametrize("kind", ProbeKind)
async def test_nobody_there_is_unreachable(spec: MakeSpec, kind: ProbeKind) -> None:
    assert await check(Probe(kind, spec("nobody-1").address)) is Health.UNREACHABLE
