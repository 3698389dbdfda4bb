"""Health as a set of named components: SERVING only while all are up and the server is not draining."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio as health_aio

from services.chassis.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_log = get_logger(__name__)


@dataclass(slots=True)
class Component:
    """One thing the service needs, down until it says otherwise. Call it on the event loop."""

    name: str
    _changed: Callable[[], None]
    _reason: str = "starting"

    @property
    def reason(self) -> str:
        """Why it is down; empty when it is up."""
        return self._reason

    def up(self) -> None:
        """Say that it works."""
        self._set("")

    def down(self, reason: str) -> None:
        """Say that it does not, in a few words for the operator (never content of a request)."""
        self._set(reason or "no reason given")

    def _set(self, reason: str) -> None:
        if reason == self._reason:
            return
        self._reason = reason
        _log.info("component", component=self.name, up=not reason, reason=reason)
        self._changed()


@dataclass(slots=True)
class Health:
    """The health of one server, as gRPC health checks, as pushes to their watchers, and as a view for people.

    grpc's own servicer says SERVING from birth; this one says NOT_SERVING.
    """

    servicer: health_aio.HealthServicer = field(default_factory=health_aio.HealthServicer)
    _components: dict[str, Component] = field(default_factory=dict)
    _service_names: tuple[str, ...] = ("",)
    _draining: bool = False
    _pushes: set[asyncio.Task[None]] = field(default_factory=set)

    def component(self, name: str) -> Component:
        """Add a component, down until its `up()`; a name belongs to one component."""
        if name in self._components:
            raise ValueError(f"the component {name!r} exists already")
        self._components[name] = component = Component(name, self._changed)
        self._changed()
        return component

    @property
    def serving(self) -> bool:
        """Whether calls should be sent here."""
        return not self._draining and all(not component.reason for component in self._components.values())

    def is_draining(self) -> bool:
        """Tell whether the server is about to stop."""
        return self._draining

    async def announce(self, service_names: Iterable[str]) -> None:
        """Answer for these services besides the server as a whole (the empty name)."""
        self._service_names = ("", *service_names)
        await self._push()

    async def drain(self) -> None:
        """Say NOT_SERVING for good, and have told every watcher when this returns."""
        self._draining = True
        await self._push()

    def view(self) -> dict[str, object]:
        """Show the state as JSON values; safe to call from another thread."""
        components = {c.name: c.reason or "up" for c in tuple(self._components.values())}
        return {"status": "SERVING" if self.serving else "NOT_SERVING", "draining": self._draining} | {
            "components": components
        }

    def _changed(self) -> None:
        push = asyncio.get_running_loop().create_task(self._push())
        self._pushes.add(push)
        push.add_done_callback(self._pushes.discard)

    async def _push(self) -> None:
        # The status is read again for each name: pushes may overlap, and the last one to write must write the truth.
        response = health_pb2.HealthCheckResponse
        for name in self._service_names:
            await self.servicer.set(name, response.SERVING if self.serving else response.NOT_SERVING)
