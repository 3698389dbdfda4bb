"""A model of what builds contexts, and of those who ask, in virtual time."""

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random

from scic.errors import ScicError
from services.chassis.deadline import Deadline
from services.gateway.admission.build_gate import BuildGate
from services.gateway.admission.priority import Priority
from tests.unit.gateway.admission.virtual_time import run_virtually, virtual_now


class Processors:
    """Some processors that share themselves among all jobs, each of which can use one: processor sharing."""

    def __init__(self, count: float) -> None:
        self._count = count
        self._served = 0.0
        """Seconds of work that each job which was there all the time has got."""
        self._at = virtual_now()
        self._jobs: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def _rate(self) -> float:
        return min(1.0, self._count / len(self._jobs)) if self._jobs else 1.0

    def _advance(self) -> None:
        now = virtual_now()
        self._served += (now - self._at) * self._rate
        self._at = now

    async def work(self, seconds: float) -> None:
        """Takes so many seconds of a processor, however long that takes."""
        self._advance()
        done = asyncio.get_running_loop().create_future()
        self._numbers += 1
        heapq.heappush(self._jobs, (self._served + seconds, self._numbers, done))
        self._arm()
        await done

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._jobs:
            wait = max((self._jobs[0][0] - self._served) / self._rate, 0.0)
            self._timer = asyncio.get_running_loop().call_later(wait, self._finish)

    def _finish(self) -> None:
        self._advance()
        while self._jobs and self._jobs[0][0] <= self._served + 1e-9:
            done = heapq.heappop(self._jobs)[2]
            if not done.done():
                done.set_result(None)
        self._arm()


@dataclass
class Outcome:
    """What became of a load."""

    seconds: float
    """Between the first counted request and the last."""
    latencies: list[float] = field(default_factory=list)
    """Of those that were answered."""
    refused: int = 0
    by_priority: dict[Priority, list[int]] = field(default_factory=dict)
    """Answered and refused."""
    limits: list[int] = field(default_factory=list)

    @property
    def goodput(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    @property
    def p95(self) -> float:
        return sorted(self.latencies)[int(len(self.latencies) * 0.95)]


Demand = Callable[[Random], tuple[float, float]]
"""Seconds that a build takes of a processor, and that it waits for others."""


def load(
    offered: float,
    *,
    processors: float,
    demand: Demand,
    seconds: float = 60.0,
    warm_up: float = 20.0,
    deadline: float = 10.0,
    priority: Callable[[Random], Priority] = lambda _: Priority.NORMAL,
    gated: bool = True,
    seed: int = 1,
    max_builds: int = 64,
    gateways: int = 1,
) -> Outcome:
    """What becomes of `offered` requests a second that come at random, after a warm-up under the same load."""

    async def run() -> Outcome:
        chance = Random(seed)
        gates = [
            BuildGate(max_builds, clock=virtual_now, wall=virtual_now, uniform=chance.uniform) for _ in range(gateways)
        ]
        machine = Processors(processors)
        outcome = Outcome(seconds)
        tasks: set[asyncio.Task[None]] = set()

        async def request(own: Random, rank: Priority) -> None:
            began = virtual_now()
            work, wait = demand(own)
            gate = own.choice(gates)

            async def build() -> None:
                await asyncio.sleep(wait)
                await machine.work(work)

            try:
                await _through(gate if gated else None, rank, Deadline.after(deadline, clock=virtual_now), build)
                answered = True
            except ScicError:
                answered = False
            if began >= warm_up:
                if answered:
                    outcome.latencies.append(virtual_now() - began)
                else:
                    outcome.refused += 1
                outcome.by_priority.setdefault(rank, [0, 0])[0 if answered else 1] += 1
                outcome.limits.append(gate.limit)

        while virtual_now() < warm_up + seconds:
            await asyncio.sleep(chance.expovariate(offered))
            task = asyncio.create_task(request(Random(chance.random()), priority(chance)))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)
        return outcome

    return run_virtually(run())


async def _through(
    gate: BuildGate | None, priority: Priority, deadline: Deadline, build: Callable[[], Awaitable[None]]
) -> None:
    if gate is None:
        await build()
        return
    async with gate.turn(priority, deadline):
        await build()
