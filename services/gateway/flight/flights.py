"""Single flight: of equal requests that come at the same time one computes, and all get its reply.

Within a process they share a task; over the fleet the cache knows who leads. A leader that dies is noticed when its
lease ends, and one of those who wait takes over. The idea is that of golang.org/x/sync/singleflight, with a lease.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Self

from scic import errors
from services.chassis import metrics
from services.chassis.deadline import Deadline
from services.chassis.logs import get_logger
from services.gateway.cache.ports import (
    CacheUnavailableError,
    ContextCache,
    Freshness,
    Hit,
    Lead,
    Shared,
    Unverified,
    Wait,
)
from services.gateway.flight.flight import Flight
from services.gateway.flight.ticket import Answer, Built, Ticket
from services.gateway.signals import Signals

_log = get_logger(__name__)

_LEASE_SECONDS = 1.5
"""A leader that is not heard of for so long is gone. It speaks up three times in that time."""

_PATIENCE = 0.6
"""Part of its time that a request waits for others; then what is left must do for a computation of its own."""

_MORE_SECONDS = 0.05
"""Who has so much more time than another does not take what the other's lack of it has spoilt."""

_OF_HASTE = frozenset({errors.DEADLINE_EXCEEDED.name, errors.OVERLOADED.name})
"""Errors that one with more time need not get."""

_OVERTIME_SECONDS = 1.0
"""A computation that is so late will never end by itself."""

_LAST_WORDS_SECONDS = 1.0
"""What a gateway that shuts down takes to tell those who wait."""

_Key = tuple[str, str, bool, Freshness]
_Claimed = Hit | Shared | Lead | Wait | Unverified


class Flights:
    """Serves tickets for as long as its context lasts."""

    def __init__(
        self,
        cache: ContextCache,
        signals: Signals,
        new_id: Callable[[], str],
        *,
        lease_seconds: float = _LEASE_SECONDS,
    ) -> None:
        self._cache = cache
        self._signals = signals
        self._new_id = new_id
        self._lease = lease_seconds
        self._flights: dict[_Key, Flight] = {}
        self._alone: dict[_Key, Flight] = {}
        """Those of which the cache knows nothing."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_LAST_WORDS_SECONDS)

    async def answer(self, ticket: Ticket) -> Answer:
        """The reply for a ticket. Raises what `ticket.build` raises, of whichever of equal tickets it was called."""
        try:
            return await self._reach(ticket)
        except CacheUnavailableError:
            return await self._compute(ticket, None, available=False)

    def is_under_way(self, ticket: Ticket) -> bool:
        """Whether a reply for an equal ticket is being computed here."""
        return _key(ticket) in self._flights

    async def _reach(self, ticket: Ticket) -> Answer:
        name, key, until = self._new_id(), _key(ticket), ticket.deadline.share(_PATIENCE)
        waits_since: float | None = None
        loop = asyncio.get_running_loop()
        with self._signals.expect(ticket.topic) as word:
            while True:
                word.clear()
                if (flight := self._flights.get(key)) and (answer := await self._join(flight, ticket, until)):
                    return answer
                if not until.remaining():
                    return await self._compute(ticket, None)
                asked = loop.time()
                found = await self._claim(ticket, name, None if waits_since is None else asked - waits_since)
                if not isinstance(found, Wait):
                    return await self._arrive(ticket, name, found, waited=waits_since is not None)
                waits_since = waits_since or asked
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(found.seconds, until.remaining())):
                        # One of this process may lead: then there is a flight to join.
                        if key not in self._flights:
                            await word.wait()

    async def _arrive(
        self, ticket: Ticket, name: str, found: Hit | Shared | Lead | Unverified, *, waited: bool
    ) -> Answer:
        match found:
            case Lead():
                metrics.FLIGHTS.labels("taken_over" if waited else "led").inc()
                return await self._compute(ticket, name)
            case Unverified():
                # Nobody knows whether what is stored is right.
                return await self._compute(ticket, None)
            case Hit() if not waited:
                return Answer(hit=found)
            case Hit() | Shared():
                metrics.FLIGHTS.labels("waited").inc()
                return Answer(shared=found.reply)

    async def _claim(self, ticket: Ticket, name: str, waited: float | None) -> _Claimed:
        """Asks the cache, `waited` seconds after it first said that somebody else computes."""
        look, freshness = ticket.look, ticket.freshness
        if waited is not None and not look:
            # What the leader has stored meanwhile will do, what was there before will not.
            age = waited if freshness.max_age is None else min(waited, freshness.max_age)
            look, freshness = True, replace(freshness, max_age=age)

        async def claim() -> _Claimed:
            return await self._cache.claim(
                ticket.tenant,
                ticket.key,
                freshness,
                flight=name,
                lease=self._lease,
                look=look,
                waited=waited,
            )

        found = await claim()
        if isinstance(found, Unverified) and await ticket.confirm():
            found = await claim()
        return found

    async def _join(self, flight: Flight, ticket: Ticket, until: Deadline) -> Answer | None:
        """What another one has computed; None where that does not come in time, or does not fit."""
        longer = ticket.deadline.at > flight.deadline.at + _MORE_SECONDS
        try:
            async with flight.boarded(), asyncio.timeout(until.remaining()):
                built = await asyncio.shield(flight.outcome)
                fresh = await asyncio.shield(flight.fresh)
        except TimeoutError:
            return None
        except errors.ScicError as error:
            if longer and error.reason in _OF_HASTE:
                return None
            raise
        if not fresh or (longer and built.hurried):
            return None
        metrics.FLIGHTS.labels("joined").inc()
        return Answer(built=built, joined=True)

    async def _compute(self, ticket: Ticket, name: str | None, *, available: bool = True) -> Answer:
        """Computes the reply: as the leader of that name, or unknown to the cache, but never twice at a time here."""
        flights = self._alone if name is None else self._flights
        key = _key(ticket)
        flight = flights.get(key)
        if flight is not None and name is None and (answer := await self._join(flight, ticket, ticket.deadline)):
            return Answer(built=answer.built, joined=True, available=available)
        flight = Flight(ticket.deadline)
        flights[key] = flight
        flight.task = task = asyncio.create_task(self._fly(ticket, flight, name))
        self._tasks.add(task)

        def end(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            _close(flights, key, flight)
            flight.landed(task)
            if not task.cancelled() and (error := task.exception()):
                _log.error("a flight failed", exc_info=error)

        flight.outcome.add_done_callback(lambda _: _close(flights, key, flight))
        task.add_done_callback(end)
        async with flight.boarded():
            return Answer(built=await asyncio.shield(flight.outcome), available=available)

    async def _fly(self, ticket: Ticket, flight: Flight, name: str | None) -> None:
        built: Built | None = None
        try:
            async with self._leading(ticket, name), asyncio.timeout(ticket.deadline.remaining() + _OVERTIME_SECONDS):
                built = await ticket.build()
            flight.outcome.set_result(built)
        except asyncio.CancelledError:
            # Asked for or not: `landed` tells whoever is left.
            pass
        except TimeoutError:
            flight.fail(errors.DEADLINE_EXCEEDED.error("the reply could not be computed in time"))
        except Exception as error:  # noqa: BLE001 - those who asked get it, whatever it is
            flight.fail(error)
        finally:
            # Nobody waits for this but those who joined, for its word.
            if name is not None:
                with suppress(asyncio.CancelledError):
                    flight.fresh.set_result(await self._settle(ticket, name, built))
            elif not flight.fresh.done():
                flight.fresh.set_result(True)

    @asynccontextmanager
    async def _leading(self, ticket: Ticket, name: str | None) -> AsyncIterator[None]:
        """Holds on to the lead, as far as the cache lets us: who cannot renew it computes all the same."""
        if name is None:
            yield
            return

        async def renew() -> None:
            while True:
                await asyncio.sleep(self._lease / 3)
                with suppress(CacheUnavailableError):
                    if not await self._cache.renew(ticket.tenant, ticket.key, flight=name, lease=self._lease):
                        return

        task = asyncio.create_task(renew())
        try:
            yield
        finally:
            task.cancel()

    async def _settle(self, ticket: Ticket, name: str, built: Built | None) -> bool:
        entry, shared = (built.entry, built.shared) if built else (None, None)
        try:
            return await self._cache.settle(ticket.tenant, ticket.key, flight=name, entry=entry, shared=shared)
        except CacheUnavailableError as error:
            _log.warning("flight_not_settled", error=str(error))
            return False


def _key(ticket: Ticket) -> _Key:
    return ticket.tenant, ticket.key.exact, ticket.look, ticket.freshness


def _close(flights: dict[_Key, Flight], key: _Key, flight: Flight) -> None:
    """From now on equal requests do not join it."""
    if flights.get(key) is flight:
        del flights[key]
