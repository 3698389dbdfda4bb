"""What a supervisor tells whoever watches it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class EventKind(StrEnum):
    """What happened."""

    PREPARING = "preparing"
    PREPARED = "prepared"
    STARTING = "starting"
    HEALTHY = "healthy"
    ENDED = "ended"
    """A process ended that should run; it is started again."""
    READY = "ready"
    """Every process is healthy."""
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to one process, or to the mesh where the name is empty."""

    kind: EventKind
    name: str = ""
    detail: str = ""


Listener = Callable[[Event], None]
