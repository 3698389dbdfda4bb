"""Runs a plan: starts it wave by wave, keeps it alive, restarts it in turn, stops it in order."""

import asyncio
import random

from scic.mesh import process
from scic.mesh.errors import MeshError
from scic.mesh.events import Event, EventKind, Listener
from scic.mesh.keeper import Keeper, Policy, how_it_ended
from scic.mesh.race import race
from scic.mesh.spec import Command, MeshPlan

_PREPARE_SECONDS = 120.0


class Supervisor:
    """The life of one mesh, from `run` until `stop`."""

    def __init__(
        self, plan: MeshPlan, *, tell: Listener, policy: Policy | None = None, rng: random.Random | None = None
    ) -> None:
        self._plan = plan
        self._tell = tell
        self._policy = policy or Policy()
        rng = rng or random.Random()  # noqa: S311 - jitter, no secret
        self.keepers = [Keeper(spec, self._policy, rng=rng, tell=tell) for spec in plan.processes()]
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._turn = asyncio.Lock()

    def stop(self) -> None:
        """Ask the mesh to stop in order; asked a second time, it kills what is left."""
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    async def run(self) -> None:
        """Start everything and keep it running until `stop`; no process is left when this returns or raises.

        Raises MeshError if a process does not become healthy; then everything is stopped.
        """
        try:
            if await race(self._start(), self._stop.wait()) == 0:
                self._tell(Event(EventKind.READY))
                await self._stop.wait()
        finally:
            self._stop.set()
            await self._stop_all()

    async def rolling_restart(self, service: str | None) -> None:
        """Restart the replicas of one service, or of all that have replicas, one after another.

        Raises MeshError for a service that cannot be restarted in turn, or at the first replica that stays away.
        """
        rolling = self._plan.rolling
        if service is not None and service not in rolling:
            raise MeshError(f"{service!r} cannot be restarted in turn: choose one of {', '.join(rolling)}.")
        async with self._turn:
            if await race(self._restart_in_turn((service,) if service else rolling), self._stop.wait()) != 0:
                raise MeshError("The mesh was stopped before all were restarted.")

    async def _restart_in_turn(self, services: tuple[str, ...]) -> None:
        for name in services:
            for keeper in self._of(name):
                await keeper.restart(self._hurry)
                await asyncio.sleep(self._policy.settle)

    async def _start(self) -> None:
        for command in self._plan.preparations:
            await self._prepare(command)
        keepers = {keeper.spec.name: keeper for keeper in self.keepers}
        for wave in self._plan.waves:
            starts = [asyncio.create_task(keepers[spec.name].start()) for spec in wave]
            try:
                await asyncio.gather(*starts)
            finally:
                for start in starts:
                    start.cancel()
                await asyncio.gather(*starts, return_exceptions=True)

    async def _prepare(self, command: Command) -> None:
        self._tell(Event(EventKind.PREPARING, command.name))
        running = await process.start(command)
        try:
            await race(running.wait(), timeout_seconds=_PREPARE_SECONDS)
        finally:
            await running.stop(0.0, self._hurry)
        code = await running.wait()
        if code != 0:
            words = running.last_words() or "(nothing)"
            raise MeshError(f"Preparing the {command.name} {how_it_ended(code)}; the end of {command.log}:\n{words}")
        self._tell(Event(EventKind.PREPARED, command.name))

    async def _stop_all(self) -> None:
        async with self._turn:  # a rolling restart has heard of the stop, and lets go
            for services in self._plan.stop_order:
                await asyncio.gather(*(keeper.stop(self._hurry) for name in services for keeper in self._of(name)))

    def _of(self, service: str) -> list[Keeper]:
        return [keeper for keeper in self.keepers if keeper.spec.service == service]
