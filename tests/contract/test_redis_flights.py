"""One computation a key over all gateways, in a real Valkey: who leads, who waits, what they get."""

import asyncio
import secrets
import struct
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from services.gateway.cache.keys import flight_key, flight_topic
from services.gateway.cache.ports import CacheKey, Freshness, Hit, Lead, Shared, Wait
from services.gateway.cache.stored_reply import StoredReply
from services.gateway.redis.signals import redis_signals
from tests.contract.cache_world import ANY, ENTRIES, A, CacheWorld, V, cache_world, entry, names
from tests.valkey import Valkey
from tests.waiting import LONG


@pytest.fixture
async def world(server: Valkey, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[CacheWorld]:
    async with cache_world(server, monkeypatch) as world:
        yield world


THIN = Shared(StoredReply.of(b"thin"))
AWHILE = 600.0
"""Seconds that somebody has waited, longer than any test takes."""


async def claim(
    world: CacheWorld,
    flight: str,
    *,
    key: CacheKey = A,
    lease: float = 1.5,
    look: bool = True,
    demand: Freshness = ANY,
    waited: float | None = None,
) -> object:
    return await world.cache.claim("acme", key, demand, flight=flight, lease=lease, look=look, waited=waited)


async def hand_on(world: CacheWorld, reply: bytes = b"thin") -> bool:
    """One leads, one waits, and what the leader makes is not kept; returns whether it is still right."""
    await claim(world, "leader")
    await claim(world, "waiter")
    return await world.cache.settle("acme", A, flight="leader", entry=None, shared=reply)


async def test_of_many_who_ask_at_once_one_leads(world: CacheWorld) -> None:
    others = [world.cache, world.other().cache]
    found = await asyncio.gather(
        *(others[number % 2].claim("acme", A, ANY, flight=f"f{number}", lease=60, look=True) for number in range(90))
    )
    assert sum(isinstance(one, Lead) for one in found) == 1
    assert all(isinstance(one, Wait) and 0 < one.seconds <= 60 for one in found if not isinstance(one, Lead))


async def test_who_waited_gets_the_reply_that_is_kept(world: CacheWorld) -> None:
    await world.cache.confirm("acme", V)
    assert await claim(world, "leader") == Lead()
    assert isinstance(await claim(world, "waiter"), Wait)
    await world.cache.settle("acme", A, flight="leader", entry=entry(b"reply", V, "x"), shared=None)
    found = await claim(world, "waiter")
    assert isinstance(found, Hit)
    assert found.reply.serialized == b"reply"
    assert not await world.redis.exists(flight_key("acme", "a"))


@pytest.mark.parametrize(
    ("reply", "got"),
    [
        pytest.param(b"thin", THIN, id="handed on"),
        pytest.param(None, Lead(), id="must stay with the leader"),
    ],
)
async def test_who_waited_gets_what_is_not_kept_or_computes(
    world: CacheWorld, reply: bytes | None, got: object
) -> None:
    await claim(world, "leader")
    await claim(world, "waiter")
    await world.cache.settle("acme", A, flight="leader", entry=None, shared=reply)
    assert await claim(world, "waiter", waited=AWHILE) == got
    assert isinstance(await claim(world, "late", look=False), Lead if reply else Wait)


@pytest.mark.parametrize("look", [True, False], ids=["any reply will do", "no stored reply will do"])
async def test_what_is_handed_on_is_only_for_who_has_waited(world: CacheWorld, look: bool) -> None:
    await hand_on(world)
    assert await claim(world, "waiter", look=look, waited=AWHILE) == THIN
    assert await claim(world, "newcomer", look=look) == Lead()


@pytest.mark.parametrize("look", [True, False], ids=["any reply will do", "no stored reply will do"])
async def test_what_is_handed_on_was_made_while_the_caller_waited(world: CacheWorld, look: bool) -> None:
    await hand_on(world)
    await age_handed(world, 1_000)
    assert await claim(world, "waiter", look=look, waited=AWHILE) == THIN
    assert await claim(world, "came after it", look=look, waited=0.999) == Lead()


async def test_what_is_handed_on_is_as_young_as_is_demanded(world: CacheWorld) -> None:
    await hand_on(world)
    await age_handed(world, 1_000)
    young, old = Freshness(max_age=0.999), Freshness(max_age=AWHILE)
    assert await claim(world, "waiter", demand=old, waited=AWHILE) == THIN
    assert await claim(world, "waiter", demand=young, waited=AWHILE) == Lead()


@pytest.mark.parametrize("milliseconds", [pytest.param(2_001, id="old"), pytest.param(-600_000, id="yet to come")])
async def test_what_is_handed_on_is_so_for_a_moment(world: CacheWorld, milliseconds: int) -> None:
    await hand_on(world)
    await age_handed(world, milliseconds)
    assert await claim(world, "waiter", waited=AWHILE) == Lead()


async def age_handed(world: CacheWorld, milliseconds: int) -> None:
    """Time goes by since the leader handed its reply on."""
    head = struct.Struct(">QQQ")
    handed = await world.redis.hget(ENTRIES, "h:a")
    writes, known, made = head.unpack_from(handed)
    await world.redis.hset(ENTRIES, "h:a", head.pack(writes, known, made - milliseconds) + handed[head.size :])


async def test_what_nobody_waits_for_is_not_handed_on(world: CacheWorld) -> None:
    await claim(world, "leader")
    await world.cache.settle("acme", A, flight="leader", entry=None, shared=b"thin")
    assert await claim(world, "waiter", waited=AWHILE) == Lead()


@pytest.mark.parametrize(
    "what", ["a document changed", "the cache was flushed", "nobody knows what changed", "all was forgotten"]
)
async def test_what_is_handed_on_is_not_of_before_a_change(world: CacheWorld, what: str) -> None:
    await world.cache.confirm("acme", V)
    await hand_on(world)
    await happen(world, what)
    assert await claim(world, "waiter", waited=AWHILE) == Lead()


async def happen(world: CacheWorld, what: str) -> None:
    match what:
        case "a document changed":
            await world.change(V + 1, "x")
        case "nobody knows what changed":
            await world.cache.confirm("acme", V + 1)
        case "the cache was flushed":
            await world.cache.flush("acme")
        case "a document is new":
            await world.change(V + 1)
        case "another changed":
            await world.change(V + 1, "y")
        case "all was forgotten":
            await world.redis.flushall()
        case "the flight was forgotten":
            await world.redis.delete(flight_key("acme", "a"))


LARGE = 2 << 20
"""Bytes of a reply that is not stored."""


@pytest.mark.parametrize(
    ("what", "right", "right_for_all"),
    [
        pytest.param("nothing", True, True, id="nothing"),
        pytest.param("a document is new", True, True, id="a document is new"),
        pytest.param("another changed", True, False, id="another document changed"),
        pytest.param("a document changed", False, False, id="a document of it changed"),
        pytest.param("nobody knows what changed", False, False, id="nobody knows what changed"),
        pytest.param("the cache was flushed", False, False, id="the cache was flushed"),
        pytest.param("all was forgotten", False, False, id="all was forgotten"),
        pytest.param("the flight was forgotten", False, False, id="the flight was forgotten"),
    ],
)
@pytest.mark.parametrize("kind", ["kept", "too large to be kept", "of too many documents", "handed on", "for nobody"])
async def test_who_leads_hears_whether_its_reply_is_still_right(
    world: CacheWorld, what: str, right: bool, right_for_all: bool, kind: str
) -> None:
    await world.cache.confirm("acme", V)
    await claim(world, "leader")
    await happen(world, what)
    made = {
        "kept": entry(b"reply", V, "x"),
        "too large to be kept": entry(secrets.token_bytes(LARGE), V, "x"),
        "of too many documents": entry(b"reply", V, *names(2_001)),
    }.get(kind)
    shared = b"thin" if kind == "handed on" else None
    told = await world.cache.settle("acme", A, flight="leader", entry=made, shared=shared)
    assert told is (right if kind in {"kept", "too large to be kept"} else right_for_all)
    await world.cache.confirm("acme", V + 1)
    assert await world.redis.hexists(ENTRIES, "c:a") is (kind == "kept" and right)


async def test_what_is_handed_on_is_not_of_a_build_that_began_before_a_change(world: CacheWorld) -> None:
    await world.cache.confirm("acme", V)
    await claim(world, "leader")
    await claim(world, "waiter")
    await world.change(V + 1, "x")
    assert not await world.cache.settle("acme", A, flight="leader", entry=None, shared=b"thin")
    assert await claim(world, "waiter", waited=AWHILE) == Lead()


async def test_what_is_handed_on_is_of_the_version_that_is_demanded(world: CacheWorld) -> None:
    await world.cache.confirm("acme", V)
    await hand_on(world)
    assert await claim(world, "waiter", demand=Freshness(min_corpus_version=V), waited=AWHILE) == Shared(
        StoredReply.of(b"thin")
    )
    assert await claim(world, "waiter", demand=Freshness(min_corpus_version=V + 1), waited=AWHILE) == Lead()


async def test_a_leader_that_is_not_heard_of_is_followed_by_one_who_waits(world: CacheWorld) -> None:
    await claim(world, "leader")
    await claim(world, "waiter")
    await world.age_flight(A, 1_500)
    assert await claim(world, "waiter") == Lead()
    assert not await world.cache.renew("acme", A, flight="leader", lease=1.5)
    assert await world.cache.renew("acme", A, flight="waiter", lease=1.5)
    assert isinstance(await claim(world, "leader"), Wait)


async def test_a_leader_that_speaks_up_stays_one(world: CacheWorld) -> None:
    await claim(world, "leader", lease=60)
    await world.age_flight(A, 59_000)
    assert await world.cache.renew("acme", A, flight="leader", lease=60)
    found = await claim(world, "waiter")
    assert isinstance(found, Wait)
    assert 30 < found.seconds <= 60


async def test_a_clock_that_was_set_back_keeps_nobody_waiting(world: CacheWorld) -> None:
    await claim(world, "leader")
    await world.age_flight(A, -3_600_000)
    assert await claim(world, "waiter") == Lead()


async def test_a_late_leaders_reply_is_kept_and_the_flight_of_the_other_goes_on(world: CacheWorld) -> None:
    await world.cache.confirm("acme", V)
    await claim(world, "leader")
    await claim(world, "waiter")
    await world.age_flight(A, 1_500)
    await claim(world, "waiter", lease=60)
    await world.cache.settle("acme", A, flight="leader", entry=entry(b"late", V), shared=None)
    assert await world.found() == b"late"
    assert isinstance(await claim(world, "third", look=False), Wait)
    await world.cache.settle("acme", A, flight="waiter", entry=entry(b"newer", V), shared=None)
    assert await world.found() == b"newer"


async def test_who_asks_for_no_stored_reply_leads_or_waits_all_the_same(world: CacheWorld) -> None:
    await world.put(A, entry(b"old", V))
    assert await claim(world, "leader", look=False) == Lead()
    assert isinstance(await claim(world, "waiter", look=False), Wait)
    assert isinstance(await claim(world, "reader"), Hit)
    await world.cache.settle("acme", A, flight="leader", entry=entry(b"new", V), shared=None)
    assert await world.found() == b"new"


@pytest.mark.parametrize("settled", ["an entry", "shared", "nothing"])
async def test_who_waits_hears_that_it_is_over(world: CacheWorld, settled: str) -> None:
    await world.cache.confirm("acme", V)
    await claim(world, "leader", lease=600)
    async with Redis.from_url(world.server.url) as redis, redis_signals(redis) as signals:
        with signals.expect(flight_topic("acme", "a")) as word:
            async with asyncio.timeout(LONG):
                await word.wait()  # said to all when the connection stands
            word.clear()
            await claim(world, "waiter")
            await world.cache.settle(
                "acme",
                A,
                flight="leader",
                entry=entry(b"reply", V) if settled == "an entry" else None,
                shared=b"thin" if settled == "shared" else None,
            )
            async with asyncio.timeout(LONG):
                await word.wait()


async def test_a_flight_that_changes_hands_for_ever_takes_little_room(world: CacheWorld) -> None:
    for number in range(200):
        assert await claim(world, f"f{number}") == Lead()
        await world.age_flight(A, 1_500)
    assert await world.redis.hlen(flight_key("acme", "a")) <= 50
    assert 0 < await world.redis.pttl(flight_key("acme", "a")) <= 61_500
