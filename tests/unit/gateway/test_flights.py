"""Single flight: one computes, all get it, whoever leaves or dies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from uuid import uuid4

import pytest

from scic import errors
from scic.gateway.v1 import context_service_pb2 as pb
from services.chassis.deadline import Deadline
from services.gateway.admission.priority import Priority
from services.gateway.cache.ports import CacheEntry, CacheKey, Freshness
from services.gateway.flight.flights import Flights
from services.gateway.flight.ticket import Answer, Built, Ticket
from tests.fake_cache import FakeCache
from tests.waiting import eventually

KEY = CacheKey("digest")
ENTRY = CacheEntry(b"reply", 1, (), 0.1)
KEPT = Built(pb.BuildContextResponse(model="kept"), Deadline.after(9), ENTRY, b"reply")
HANDED = Built(pb.BuildContextResponse(model="handed"), Deadline.after(9), None, b"handed over")
PRIVATE = Built(pb.BuildContextResponse(model="private"), Deadline.after(9), None, None)


@dataclass
class Fleet:
    """Gateways on one cache, and how a reply is made."""

    stack: AsyncExitStack
    cache: FakeCache = field(default_factory=FakeCache)
    made: Built = KEPT
    error: Exception | None = None
    begun: int = 0
    given_up: int = 0
    go: asyncio.Event = field(default_factory=asyncio.Event)
    knows_version: bool = True

    async def gateway(self, *, lease: float = 30.0) -> Flights:
        flights = Flights(self.cache, self.cache.signals, lambda: uuid4().hex, lease_seconds=lease)
        return await self.stack.enter_async_context(flights)

    async def confirm(self) -> bool:
        if self.knows_version:
            await self.cache.confirm("acme", 1)
        return self.knows_version

    async def build(self) -> Built:
        self.begun += 1
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        if self.error:
            raise self.error
        return self.made

    def ticket(
        self,
        *,
        tenant: str = "acme",
        key: CacheKey = KEY,
        look: bool = True,
        freshness: Freshness | None = None,
        priority: Priority = Priority.NORMAL,
    ) -> Ticket:
        return Ticket(tenant, key, freshness or Freshness(), look, priority, self.confirm, self.build)

    async def has_begun(self, times: int) -> None:
        await eventually(f"{times} computations have begun", lambda: self.begun >= times)
        await asyncio.sleep(0.01)
        assert self.begun == times


@pytest.fixture
async def fleet() -> AsyncIterator[Fleet]:
    async with AsyncExitStack() as stack:
        yield Fleet(stack)


def ask(flights: Flights, ticket: Ticket) -> asyncio.Task[tuple[Answer, bool]]:
    return asyncio.create_task(flights.answer(ticket))


async def test_of_equal_requests_one_computes(fleet: Fleet) -> None:
    flights = await fleet.gateway()
    asked = [ask(flights, fleet.ticket()) for _ in range(50)]
    await fleet.has_begun(1)
    fleet.go.set()
    answers = await asyncio.gather(*asked)
    assert {id(answer.built) for answer, _ in answers} == {id(KEPT)}
    assert sorted(joined for _, joined in answers) == [False, *[True] * 49]
    answer, _ = await flights.answer(fleet.ticket())
    assert answer.hit is not None
    assert answer.hit.reply == b"reply"


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"tenant": "other"}, id="tenant"),
        pytest.param({"key": CacheKey("another")}, id="key"),
        pytest.param({"look": False}, id="what will do"),
        pytest.param({"freshness": Freshness(7)}, id="freshness"),
        pytest.param({"priority": Priority.HIGH}, id="priority"),
    ],
)
async def test_requests_that_differ_compute_each(fleet: Fleet, other: dict[str, object]) -> None:
    flights = await fleet.gateway()
    fleet.cache.away = True  # else some would wait for others by the key alone
    asked = [ask(flights, fleet.ticket()), ask(flights, fleet.ticket(**other))]  # type: ignore[arg-type]  # a table
    await fleet.has_begun(2)
    fleet.go.set()
    assert [joined for _, joined in await asyncio.gather(*asked)] == [False, False]


@pytest.mark.parametrize(
    ("made", "reply"),
    [pytest.param(KEPT, b"reply", id="that is kept"), pytest.param(HANDED, b"handed over", id="that is not kept")],
)
async def test_another_gateway_waits_for_the_reply(fleet: Fleet, made: Built, reply: bytes) -> None:
    fleet.made = made
    first, second = await fleet.gateway(), await fleet.gateway()
    leading = ask(first, fleet.ticket())
    await fleet.has_begun(1)
    waiting = ask(second, fleet.ticket())
    await fleet.has_begun(1)
    fleet.go.set()
    assert (await leading)[0].built is made
    assert (await waiting)[0].shared == reply
    assert fleet.begun == 1


async def test_what_must_not_leave_its_process_is_computed_by_each_gateway(fleet: Fleet) -> None:
    fleet.made = PRIVATE
    first, second = await fleet.gateway(), await fleet.gateway()
    leading = ask(first, fleet.ticket())
    await fleet.has_begun(1)
    waiting = ask(second, fleet.ticket())
    await asyncio.sleep(0.01)
    fleet.go.set()
    assert [(await one)[0].built for one in (leading, waiting)] == [PRIVATE, PRIVATE]
    assert fleet.begun == 2


async def test_a_leader_that_is_gone_is_followed_by_another(fleet: Fleet) -> None:
    await fleet.cache.claim("acme", KEY, Freshness(), flight="dead", lease=0.05, look=True)
    second = await fleet.gateway()
    waiting = ask(second, fleet.ticket())
    await fleet.has_begun(1)
    fleet.go.set()
    assert (await waiting)[0].built is KEPT


async def test_a_leader_that_takes_long_stays_the_leader(fleet: Fleet) -> None:
    first, second = await fleet.gateway(lease=0.2), await fleet.gateway(lease=0.2)
    leading = ask(first, fleet.ticket())
    await fleet.has_begun(1)
    waiting = ask(second, fleet.ticket())
    await asyncio.sleep(0.5)
    await fleet.has_begun(1)
    fleet.go.set()
    assert (await leading)[0].built is KEPT
    assert (await waiting)[0].shared == b"reply"


async def test_the_last_one_who_leaves_ends_the_computation(fleet: Fleet) -> None:
    flights = await fleet.gateway()
    first, second = ask(flights, fleet.ticket()), ask(flights, fleet.ticket())
    await fleet.has_begun(1)
    first.cancel()
    await asyncio.wait([first])
    assert fleet.given_up == 0, "there is another who waits"
    second.cancel()
    await asyncio.wait([second])
    await eventually("it is given up", lambda: fleet.given_up == 1)
    await eventually("the lead is free", lambda: not fleet.cache.flights)


async def test_who_waits_elsewhere_takes_over_when_the_leader_has_left(fleet: Fleet) -> None:
    first, second = await fleet.gateway(), await fleet.gateway()
    leading = ask(first, fleet.ticket())
    await fleet.has_begun(1)
    waiting = ask(second, fleet.ticket())
    await asyncio.sleep(0.01)
    leading.cancel()
    await fleet.has_begun(2)
    fleet.go.set()
    assert (await waiting)[0].built is KEPT


async def test_an_error_reaches_all_and_the_next_request_begins_anew(fleet: Fleet) -> None:
    flights = await fleet.gateway()
    fleet.error = errors.CORRUPT_CORPUS.error("broken")
    fleet.go.set()
    outcomes = await asyncio.gather(*(ask(flights, fleet.ticket()) for _ in range(3)), return_exceptions=True)
    assert outcomes == [fleet.error] * 3
    assert fleet.begun == 1
    fleet.error = None
    assert (await flights.answer(fleet.ticket()))[0].built is KEPT


async def test_without_a_cache_each_gateway_computes_once(fleet: Fleet) -> None:
    fleet.cache.away = True
    fleet.go.set()
    flights = await fleet.gateway()
    answers = await asyncio.gather(*(ask(flights, fleet.ticket()) for _ in range(3)))
    assert fleet.begun == 1
    assert [answer.available for answer, _ in answers] == [False] * 3


async def test_a_cache_that_goes_while_one_computes_changes_nothing(fleet: Fleet) -> None:
    flights = await fleet.gateway(lease=0.03)
    asked = ask(flights, fleet.ticket())
    await fleet.has_begun(1)
    fleet.cache.away = True
    await asyncio.sleep(0.1)
    fleet.go.set()
    assert (await asked)[0].built is KEPT


@pytest.mark.parametrize("knows", [pytest.param(True, id="known"), pytest.param(False, id="unknown")])
async def test_a_stored_reply_is_taken_only_where_the_version_is_known(fleet: Fleet, knows: bool) -> None:
    fleet.cache.keep("acme", KEY, ENTRY)
    fleet.knows_version = knows
    fleet.go.set()
    answer, _ = await (await fleet.gateway()).answer(fleet.ticket())
    assert (answer.hit is not None, answer.built is not None) == (knows, not knows)


async def test_who_wants_no_stored_reply_never_gets_one_that_was_there_before(fleet: Fleet) -> None:
    await fleet.cache.confirm("acme", 1)
    fleet.cache.keep("acme", KEY, CacheEntry(b"old", 1, (), 0.1))
    first, second = await fleet.gateway(), await fleet.gateway()
    leading = ask(first, fleet.ticket(look=False))
    await fleet.has_begun(1)
    waiting = ask(second, fleet.ticket(look=False))
    await asyncio.sleep(0.01)
    leading.cancel()  # so that what the other one finds is the old reply
    await fleet.has_begun(2)
    fleet.go.set()
    assert (await waiting)[0].built is KEPT
