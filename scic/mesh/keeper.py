"""Keeps one process of a plan alive."""

import asyncio
import random
import signal
import time
from dataclasses import dataclass

from scic.mesh import process
from scic.mesh.errors import MeshError
from scic.mesh.events import Event, EventKind, Listener
from scic.mesh.health import wait_healthy
from scic.mesh.race import race
from scic.mesh.spec import ProcessSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How long a supervisor waits, in seconds."""

    healthy_within: float = 30.0
    """From start to the first healthy answer."""
    stop_within: float = 15.0
    """From SIGTERM to SIGKILL: a service drains 1.5 s, then has 10 s to finish the calls that it has."""
    first_restart_after: float = 0.2
    """Back-off after a first end, doubled after each further one; jitter takes up to half of it off."""
    slowest_restart_after: float = 10.0
    calm_after: float = 30.0
    """A process that lived this long begins with the first back-off again."""
    settle: float = 1.0
    """Between two replicas of a rolling restart: Envoy asks every 0.5 s and must have seen the one before."""


def back_off(policy: Policy, ends: int, rng: random.Random) -> float:
    """Seconds before a restart, after the given number of ends in a row (from 1)."""
    # The exponent is bounded: a float overflows where a process has ended a thousand times.
    longest = min(policy.slowest_restart_after, policy.first_restart_after * 2.0 ** min(ends - 1, 32))
    return longest * rng.uniform(0.5, 1.0)


class Keeper:
    """One process: started, started again whenever it ends, stopped."""

    def __init__(self, spec: ProcessSpec, policy: Policy, *, rng: random.Random, tell: Listener) -> None:
        self.spec = spec
        self.running: process.Running | None = None
        self._policy = policy
        self._rng = rng
        self._tell = tell
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it and wait until it is healthy; raises MeshError with its last log lines if it is not in time."""
        running = await self._launch()
        if not await self._becomes_healthy(running):
            raise MeshError(self._failure(running))
        self._watch = asyncio.create_task(self._restart_forever(running), name=f"keep {self.spec.name}")

    async def stop(self, hurry: asyncio.Event) -> None:
        """Stop it for good; returns when it is gone."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait({self._watch})
            self._watch = None
        if self.running is not None:
            self._tell(Event(EventKind.STOPPING, self.spec.name))
            await self.running.stop(self._policy.stop_within, hurry)
            self.running = None
            self._tell(Event(EventKind.STOPPED, self.spec.name))

    async def restart(self, hurry: asyncio.Event) -> None:
        """Stop it, start it, wait until it is healthy; raises MeshError, and goes on trying, if it is not in time."""
        await self.stop(hurry)
        running = await self._launch()
        healthy = await self._becomes_healthy(running)
        self._watch = asyncio.create_task(self._restart_forever(running), name=f"keep {self.spec.name}")
        if not healthy:
            raise MeshError(self._failure(running))

    async def _launch(self) -> process.Running:
        try:
            self.running = await process.start(self.spec)
        except OSError as error:
            raise MeshError(f"{self.spec.name} could not be started: {error}.") from error
        self._tell(Event(EventKind.STARTING, self.spec.name))
        return self.running

    @property
    def _healthy_within(self) -> float:
        return self.spec.healthy_within or self._policy.healthy_within

    async def _becomes_healthy(self, running: process.Running) -> bool:
        first = await race(running.wait(), wait_healthy(self.spec.probe), timeout_seconds=self._healthy_within)
        if first != 1:
            return False
        self._tell(Event(EventKind.HEALTHY, self.spec.name))
        return True

    async def _restart_forever(self, running: process.Running) -> None:
        ends = 0
        while True:
            code = await running.wait()
            calm = time.monotonic() - running.since >= self._policy.calm_after
            ends = 1 if calm else ends + 1
            self._tell(Event(EventKind.ENDED, self.spec.name, how_it_ended(code)))
            await asyncio.sleep(back_off(self._policy, ends, self._rng))
            try:
                running = await self._launch()
            except MeshError as error:
                self._tell(Event(EventKind.ENDED, self.spec.name, str(error)))
                continue  # the one before has ended: after a longer back-off comes the next attempt
            await self._becomes_healthy(running)

    def _failure(self, running: process.Running) -> str:
        code = running.process.returncode
        what = f"was not healthy within {self._healthy_within:g} s" if code is None else how_it_ended(code)
        return f"{self.spec.name} {what}; the end of {self.spec.log}:\n{running.last_words() or '(nothing)'}"


def how_it_ended(code: int) -> str:
    """An exit code in words."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal has no name
        return f"was ended by signal {-code}"
