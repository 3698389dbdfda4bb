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
from services.gateway.cache.ports import CacheEntry, CacheKey, CorpusChange, Freshness
from services.gateway.cache.stored_reply import StoredReply
from services.gateway.flight.flights import Flights
from services.gateway.flight.ticket import Answer, Built, Ticket
from tests.fake_cache import FakeCache
from tests.waiting import eventually

KEY = CacheKey("digest")
ENTRY = CacheEntry(b"reply", 1, (), 0.1)
KEPT = Built(pb.BuildContextResponse(model="kept"), False, ENTRY, b"reply")
HANDED = Built(pb.BuildContextResponse(model="handed"), False, None, b"handed over")
PRIVATE = Built(pb.BuildContextResponse(model="private"), False, None, None)
SPOILT = Built(pb.BuildContextResponse(model="spoilt"), True, None, None)


@dataclass
class Fleet:
    """Gateways on one cache, and how a reply is made."""

    stack: AsyncExitStack
    cache: FakeCache = field(default_factory=FakeCache)
    made: Built = KEPT
    error: BaseException | None = None
    """What the computation ends in that was begun first."""
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
        first = self.begun == 1
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        if self.error and first:
            raise self.error
        return self.made

    def ticket(
        self,
        *,
        tenant: str = "acme",
        key: CacheKey = KEY,
        look: bool = True,
        freshness: Freshness | None = None,
        seconds: float = 60.0,
    ) -> Ticket:
        return Ticket(tenant, key, freshness or Freshness(), look, Deadline.after(seconds), self.confirm, self.build)

    async def has_begun(self, times: int) -> None:
        await eventually(f"{times} computations have begun", lambda: self.begun >= times)
        await asyncio.sleep(0.01)
        assert self.begun == times


@pytest.fixture
async def fleet() -> AsyncIterator[Fleet]:
    async with AsyncExitStack() as stack:
        yield Fleet(stack)


def ask(flights: Flights, ticket: Ticket) -> asyncio.Task[Answer]:
    return asyncio.create_task(flights.answer(ticket))


async def test_of_equal_requests_one_computes(fleet: Fleet) -> None:
    flights = await fleet.gateway()
    asked = [ask(flights, fleet.ticket()) for _ in range(50)]
    await fleet.has_begun(1)
    fleet.go.set()
    answers = await asyncio.gather(*asked)
    assert {id(answer.built) for answer in answers} == {id(KEPT)}
    assert sorted(answer.joined for answer in answers) == [False, *[True] * 49]
    answer = await flights.answer(fleet.ticket())
    assert answer.hit is not None
    assert answer.hit.reply.serialized == b"reply"


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"tenant": "other"}, id="tenant"),
        pytest.param({"key": CacheKey("another")}, id="key"),
        pytest.param({"look": False}, id="what will do"),
        pytest.param({"freshness": Freshness(7)}, id="freshness"),
    ],
)
async def test_requests_that_differ_compute_each(fleet: Fleet, other: dict[str, object]) -> None:
    flights = await fleet.gateway()
    fleet.cache.away = True  # else some would wait for others by the key alone
    asked = [ask(flights, fleet.ticket()), ask(flights, fleet.ticket(**other))]  # type: ignore[arg-type]  # a table
    await fleet.has_begun(2)
    fleet.go.set()
    assert [answer.joined for answer in await asyncio.gather(*asked)] == [False, False]


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
    assert (await leading).built is made
    assert (await waiting).shared == StoredReply.of(reply)
    assert fleet.begun == 1


async def test_what_must_not_leave_its_process_is_computed_by_each_gateway(fleet: Fleet) -> None:
    fleet.made = PRIVATE
    first, second = await fleet.gateway(), await fleet.gateway()
    leading = ask(first, fleet.ticket())
    await fleet.has_begun(1)
    waiting = ask(second, fleet.ticket())
    await asyncio.sleep(0.01)
    fleet.go.set()
    assert [(await one).built for one in (leading, waiting)] == [PRIVATE, PRIVATE]
    assert fleet.begun == 2


async def test_a_leader_that_is_gone_is_followed_by_another(fleet: Fleet) -> None:
    await fleet.cache.claim("acme", KEY, Freshness(), flight="dead", lease=0.05, look=True)
    second = await fleet.gateway()
    waiting = ask(second, fleet.ticket())
    await fleet.has_begun(1)
    fleet.go.set()
    assert (await waiting).built is KEPT


async def test_a_leader_that_takes_long_stays_the_leader(fleet: Fleet) -> None:
    first, second = await fleet.gateway(lease=0.2), await fleet.gateway(lease=0.2)
    leading = ask(first, fleet.ticket())
    await fleet.has_begun(1)
    waiting = ask(second, fleet.ticket())
    await asyncio.sleep(0.5)
    await fleet.has_begun(1)
    fleet.go.set()
    assert (await leading).built is KEPT
    assert (await waiting).shared == StoredReply.of(b"reply")


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
    assert (await waiting).built is KEPT


async def test_an_error_reaches_all_and_the_next_request_begins_anew(fleet: Fleet) -> None:
    flights = await fleet.gateway()
    fleet.error = errors.CORRUPT_CORPUS.error("broken")
    fleet.go.set()
    outcomes = await asyncio.gather(*(ask(flights, fleet.ticket()) for _ in range(3)), return_exceptions=True)
    assert outcomes == [fleet.error] * 3
    assert fleet.begun == 1
    assert (await flights.answer(fleet.ticket())).built is KEPT


async def test_without_a_cache_each_gateway_computes_once(fleet: Fleet) -> None:
    fleet.cache.away = True
    fleet.go.set()
    flights = await fleet.gateway()
    answers = await asyncio.gather(*(ask(flights, fleet.ticket()) for _ in range(3)))
    assert fleet.begun == 1
    assert [answer.available for answer in answers] == [False] * 3


async def test_a_cache_that_goes_while_one_computes_changes_nothing(fleet: Fleet) -> None:
    flights = await fleet.gateway(lease=0.03)
    asked = ask(flights, fleet.ticket())
    await fleet.has_begun(1)
    fleet.cache.away = True
    await asyncio.sleep(0.1)
    fleet.go.set()
    assert (await asked).built is KEPT


@pytest.mark.parametrize("knows", [pytest.param(True, id="known"), pytest.param(False, id="unknown")])
async def test_a_stored_reply_is_taken_only_where_the_version_is_known(fleet: Fleet, knows: bool) -> None:
    fleet.cache.keep("acme", KEY, ENTRY)
    fleet.knows_version = knows
    fleet.go.set()
    answer = await (await fleet.gateway()).answer(fleet.ticket())
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
    assert (await waiting).built is KEPT


@pytest.mark.parametrize("where", [pytest.param(0, id="here"), pytest.param(1, id="in another gateway")])
async def test_who_comes_after_a_change_never_gets_what_was_begun_before_it(fleet: Fleet, where: int) -> None:
    gateways = [await fleet.gateway(), await fleet.gateway()]
    await fleet.cache.confirm("acme", 1)
    fleet.made = Built(KEPT.response, False, CacheEntry(b"reply", 1, ("guide.md",), 0.1), b"reply")
    first = ask(gateways[0], fleet.ticket())
    await fleet.has_begun(1)
    await fleet.cache.advance("acme", CorpusChange(1, 2, ["guide.md"]))
    late = ask(gateways[where], fleet.ticket())
    await asyncio.sleep(0.01)
    fleet.go.set()
    assert (await first).built is fleet.made
    assert not (await late).joined
    assert fleet.begun == 2


@pytest.mark.parametrize(
    "error",
    [pytest.param(errors.DEADLINE_EXCEEDED, id="too late"), pytest.param(errors.OVERLOADED, id="no turn in time")],
)
async def test_who_has_more_time_gets_no_error_of_haste(fleet: Fleet, error: errors.Reason) -> None:
    flights = await fleet.gateway()
    fleet.error = error.error("no time")
    hurried = ask(flights, fleet.ticket(seconds=5))
    await fleet.has_begun(1)
    patient = ask(flights, fleet.ticket(seconds=60))
    alike = ask(flights, fleet.ticket(seconds=4))
    await asyncio.sleep(0.01)
    fleet.go.set()
    for one in (hurried, alike):
        with pytest.raises(errors.ScicError, match="no time"):
            await one
    assert (await patient).built is KEPT
    assert fleet.begun == 2


async def test_who_has_more_time_gets_no_reply_that_haste_has_spoilt(fleet: Fleet) -> None:
    here, elsewhere = await fleet.gateway(), await fleet.gateway()
    fleet.made = SPOILT
    hurried = ask(here, fleet.ticket(seconds=5))
    await fleet.has_begun(1)
    others = [ask(here, fleet.ticket()), ask(elsewhere, fleet.ticket())]
    await asyncio.sleep(0.01)
    fleet.go.set()
    assert (await hurried).built is SPOILT
    for other in others:
        answer = await other
        assert not answer.joined or answer.built is not SPOILT or fleet.begun > 1
    assert fleet.begun >= 2


@pytest.mark.parametrize("where", [pytest.param(0, id="here"), pytest.param(1, id="in another gateway")])
async def test_who_has_little_time_computes_what_fits_it(fleet: Fleet, where: int) -> None:
    gateways = [await fleet.gateway(), await fleet.gateway()]
    slow = ask(gateways[0], fleet.ticket())
    await fleet.has_begun(1)
    hurried = ask(gateways[where], fleet.ticket(seconds=0.4))
    await fleet.has_begun(2)
    fleet.go.set()
    assert (await hurried).built is KEPT
    await slow


class PanicError(BaseException):
    """As libraries in other languages raise it."""


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        pytest.param(PanicError(), "INTERNAL", id="that no handler catches"),
        pytest.param(asyncio.CancelledError(), "STAGE_UNAVAILABLE", id="a cancellation that nobody asked for"),
    ],
)
async def test_whatever_ends_a_computation_all_hear_of_it(fleet: Fleet, broken: BaseException, reason: str) -> None:
    flights = await fleet.gateway()
    fleet.error = broken
    fleet.go.set()
    outcomes = await asyncio.gather(*(ask(flights, fleet.ticket()) for _ in range(3)), return_exceptions=True)
    assert {outcome.reason for outcome in outcomes if isinstance(outcome, errors.ScicError)} == {reason}
    assert len(outcomes) == 3
    assert (await flights.answer(fleet.ticket())).built is KEPT


async def test_who_shuts_down_tells_those_who_wait(fleet: Fleet) -> None:
    async with Flights(fleet.cache, fleet.cache.signals, lambda: uuid4().hex) as flights:
        asked = [ask(flights, fleet.ticket(key=CacheKey(str(number)))) for number in range(3)]
        await fleet.has_begun(3)
        asked.append(ask(flights, fleet.ticket(key=CacheKey("just begun"))))
        await asyncio.sleep(0)
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes[:3]] == [errors.ScicError] * 3
