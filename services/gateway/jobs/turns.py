"""Whose turn it is: in which order a worker asks tenants for jobs."""

from dataclasses import dataclass
from random import Random

_FRESH_SECONDS = 1.0
"""So long what a tenant had running counts against it; then somebody has to ask again."""

_QUIET_SECONDS = 60.0
"""So often a tenant without jobs is asked: whoever submits one says so, but may die before."""


_FORGET_SECONDS = 0.1
"""A tenant that has more to forget than one question sweeps away is asked again after this: others come in between."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a tenant has, as it was when it was asked."""

    waiting: int
    """Jobs that may begin."""

    running: int
    next_seconds: float | None
    """Seconds until a lease ends or a pause is over; None: nothing runs or pauses."""

    stored: int
    """Jobs in all, and attempts of erased ones that may still write."""

    forget_seconds: float | None = None
    """Seconds until something is to be forgotten; None: nothing has ended."""


@dataclass(slots=True)
class _Tenant:
    """What a worker knows of a tenant."""

    registered: int
    """Its entry in the registry."""

    ask_at: float
    running: int = 0
    told_at: float = 0.0
    served: int = 0
    """Number of the worker's claim that it had last."""


class Turns:
    """Tenants with jobs as one worker sees them.

    The one with the fewest jobs running comes first, and among equals the one that was served longest ago. So a tenant
    with one job waits for no more than the jobs that run, however many another one has. Tenants that had nothing are
    asked again when something may have come: they cost nothing meanwhile.

    Args:
        lease_seconds: a tenant with jobs that run is asked at least twice in that time, so that leases run.
        random: spreads the questions.
    """

    def __init__(self, *, lease_seconds: float, random: Random) -> None:
        self._lease = lease_seconds
        self._random = random
        self._tenants: dict[str, _Tenant] = {}
        self._claims = 0

    def registered(self, name: str, entry: int, now: float) -> None:
        """Word that a tenant may have got a job; `entry` tells this word from others."""
        own = self._tenants.setdefault(name, _Tenant(entry, now))
        if own.registered != entry:
            own.registered, own.ask_at = entry, now

    def next(self, now: float) -> str | None:
        """The tenant to be asked, None where there is none for now."""
        ready = [
            (self._running(own, now), own.served, name) for name, own in self._tenants.items() if own.ask_at <= now
        ]
        return min(ready)[2] if ready else None

    def told(self, name: str, facts: Facts, now: float, *, served: bool) -> None:
        """What a tenant answered, and whether it gave a job."""
        own = self._tenants.get(name)
        if own is None:
            return
        own.running, own.told_at = facts.running, now
        if served:
            self._claims += 1
            own.served = self._claims
        if facts.waiting > 0:
            own.ask_at = now
            return
        pause = _QUIET_SECONDS * self._random.uniform(0.5, 1)
        if facts.next_seconds is not None:
            pause = min(facts.next_seconds, self._lease / 2)
        if facts.forget_seconds is not None:
            pause = min(pause, max(facts.forget_seconds, _FORGET_SECONDS))
        own.ask_at = now + pause

    def ended(self, name: str) -> None:
        """One of the tenant's jobs runs no more."""
        if own := self._tenants.get(name):
            own.running = max(own.running - 1, 0)

    def postpone(self, name: str, now: float) -> None:
        """A tenant does not answer: its part of the queue is away."""
        if own := self._tenants.get(name):
            own.ask_at = now + self._random.uniform(0.5, 1)

    def entry(self, name: str) -> int:
        """The tenant's entry in the registry, as last heard; 0 where it is not known."""
        own = self._tenants.get(name)
        return own.registered if own else 0

    def drop(self, name: str) -> None:
        """Forgets a tenant."""
        self._tenants.pop(name, None)

    @staticmethod
    def _running(own: _Tenant, now: float) -> int:
        return own.running if now - own.told_at < _FRESH_SECONDS else 0
