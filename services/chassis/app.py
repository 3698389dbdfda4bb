"""What a service hands to the chassis."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from services.chassis.health import Health

if TYPE_CHECKING:
    import grpc.aio

    from services.chassis.interceptors import CallInterceptor


@dataclass(frozen=True, slots=True)
class App:
    """A wired service, ready to be registered on a server."""

    name: str
    """Short name, such as `selector`: the logs carry it."""
    register: Callable[[grpc.aio.Server], None]
    """Adds the servicers."""
    service_names: tuple[str, ...]
    """Full names of the gRPC services: health answers for each of them, reflection shows them."""
    interceptors: tuple[CallInterceptor, ...] = ()
    """The service's own interceptors; they run before the request is read, and may raise a `ScicError`."""


Build: TypeAlias = Callable[[Health], AbstractAsyncContextManager[App]]
"""A composition root: opens what the service stands on, yields the app, and closes everything in reverse."""


class StartupError(Exception):
    """The service cannot start for a reason outside its code; the message is one sentence for the operator."""
