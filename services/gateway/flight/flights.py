"""Single flight: of equal requests that come at the same time one computes, and all get its reply.

Within a process they share a task; over the fleet the cache knows who leads. A leader that dies is noticed when its
lease ends, and one of those who wait takes over. The idea is that of golang.org/x/sync/singleflight, with a lease.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Self

from services.chassis import metrics
from services.chassis.logs import get_logger
from services.gateway.admission.priority import Priority
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
from services.gateway.flight.ticket import Answer, Built, Ticket
from services.gateway.signals import Signals

_log = get_logger(__name__)

_LEASE_SECONDS = 1.5
"""A leader that is not heard of for so long is gone. It speaks up three times in that time."""

_LAST_WORDS_SECONDS = 1.0
"""What a gateway that shuts down takes to tell those who wait."""

_Key = tuple[str, str, bool, Freshness, Priority]
Claimed = Hit | Shared | Lead | Wait | Unverified


@dataclass(slots=True)
class _Flight:
    """One computation in this process."""

    answer: asyncio.Future[Answer]
    passengers: int = 0
    task: asyncio.Task[None] | None = None


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
        self._flights: dict[_Key, _Flight] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for flight in self._flights.values():
            if flight.task is not None:
                flight.task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_LAST_WORDS_SECONDS)

    async def answer(self, ticket: Ticket) -> tuple[Answer, bool]:
        """The reply for a ticket, and whether it was under way for another request of this process.

        Raises what `ticket.build` raises, of whichever ticket was the first.
        """
        key = (ticket.tenant, ticket.key.exact, ticket.look, ticket.freshness, ticket.priority)
        flight = self._flights.get(key)
        joined = flight is not None
        if flight is None:
            flight = self._begin(key, ticket)
        flight.passengers += 1
        try:
            answer = await asyncio.shield(flight.answer)
        finally:
            flight.passengers -= 1
            if not flight.passengers:
                self._abandon(key, flight)
        if joined and answer.built is not None:
            metrics.FLIGHTS.labels("joined").inc()
        return answer, joined

    def _begin(self, key: _Key, ticket: Ticket) -> _Flight:
        flight = _Flight(asyncio.get_running_loop().create_future())
        self._flights[key] = flight
        task = asyncio.create_task(self._fly(ticket, flight, key))
        flight.task = task
        self._tasks.add(task)
        task.add_done_callback(self._landed)
        return flight

    def _abandon(self, key: _Key, flight: _Flight) -> None:
        """Gives a computation up when the last one who wanted it has left."""
        if not flight.answer.done():
            self._close(key, flight)
            assert flight.task is not None, "it has begun"
            flight.task.cancel()

    def _close(self, key: _Key, flight: _Flight) -> None:
        """From now on equal requests begin a new flight."""
        if self._flights.get(key) is flight:
            del self._flights[key]

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("a flight failed", exc_info=error)

    async def _fly(self, ticket: Ticket, flight: _Flight, key: _Key) -> None:
        name = self._new_id()
        led: Built | None = None
        leads = False
        try:
            reached = await self._reach(ticket, name)
            if isinstance(reached, Lead):
                leads = True
                async with self._leading(ticket, name):
                    led = await ticket.build()
                reached = Answer(built=led)
            self._close(key, flight)
            if not flight.answer.done():
                flight.answer.set_result(reached)
        except asyncio.CancelledError:
            self._close(key, flight)
            flight.answer.cancel()
            # It may have got the lead without hearing of it.
            leads = True
        except Exception as error:  # noqa: BLE001 - those who asked get it, whatever it is
            self._close(key, flight)
            if not flight.answer.done():
                flight.answer.set_exception(error)
                # Whoever asked may have left meanwhile.
                flight.answer.exception()
        # Nobody who asked here waits for the rest.
        if leads:
            with suppress(asyncio.CancelledError):
                await self._settle(ticket, name, led)

    async def _reach(self, ticket: Ticket, name: str) -> Answer | Lead:
        """What others have made, or the lead; where the cache is of no help, what is made here."""
        loop = asyncio.get_running_loop()
        waiting_since: float | None = None
        with self._signals.expect(f"flight:{ticket.tenant}:{ticket.key.exact}") as word:
            while True:
                word.clear()
                waited = None if waiting_since is None else loop.time() - waiting_since
                try:
                    found = await self._claim(ticket, name, waited)
                except CacheUnavailableError:
                    return Answer(built=await ticket.build(), available=False)
                if not isinstance(found, Wait):
                    return await _arrival(ticket, found, waited=waited is not None)
                waiting_since = waiting_since or loop.time()
                with suppress(TimeoutError):
                    async with asyncio.timeout(found.seconds):
                        await word.wait()

    async def _claim(self, ticket: Ticket, name: str, waited: float | None) -> Claimed:
        """Asks the cache, `waited` seconds after it first said that somebody else computes."""
        look, freshness = ticket.look, ticket.freshness
        if waited is not None and not look:
            # What the leader has made will do, what was stored before will not.
            look, freshness = True, replace(freshness, max_age=waited)

        async def claim() -> Claimed:
            return await self._cache.claim(
                ticket.tenant, ticket.key, freshness, flight=name, lease=self._lease, look=look
            )

        found = await claim()
        if isinstance(found, Unverified) and await ticket.confirm():
            found = await claim()
        return found

    @asynccontextmanager
    async def _leading(self, ticket: Ticket, name: str) -> AsyncIterator[None]:
        """Holds on to the lead, as far as the cache lets us: who cannot renew it computes all the same."""

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

    async def _settle(self, ticket: Ticket, name: str, built: Built | None) -> None:
        entry, shared = (built.entry, built.shared) if built else (None, None)
        try:
            await self._cache.settle(ticket.tenant, ticket.key, flight=name, entry=entry, shared=shared)
        except CacheUnavailableError as error:
            _log.warning("flight_not_settled", error=str(error))


async def _arrival(ticket: Ticket, found: Hit | Shared | Lead | Unverified, *, waited: bool) -> Answer | Lead:
    match found:
        case Lead():
            metrics.FLIGHTS.labels("taken_over" if waited else "led").inc()
            return found
        case Unverified():
            # Nobody knows whether what is stored is right.
            return Answer(built=await ticket.build())
        case Hit() if not waited:
            return Answer(hit=found)
        case Hit() | Shared():
            metrics.FLIGHTS.labels("waited").inc()
            return Answer(shared=found.reply)
