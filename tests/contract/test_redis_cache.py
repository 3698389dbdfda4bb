"""Replies in a real Valkey, alone and as a cluster's node: found, aged, bounded, counted, emptied."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scic.gateway.v1 import cache_pb2
from services.chassis import metrics
from services.chassis.breaker import Breaker
from services.gateway.cache.keys import cache_keys, flight_key
from services.gateway.cache.packing import MAX_ENTRY_BYTES, digests, pack, unpack
from services.gateway.cache.ports import CacheKey, CorpusChange, Freshness, Hit, Lead, Shared, Unverified
from services.gateway.cache.redis_cache import RedisContextCache
from services.gateway.cache.stored_reply import StoredReply
from services.gateway.settings import GatewaySettings
from tests.contract.cache_world import (
    ALIASES,
    ANY,
    CHANGES,
    ENTRIES,
    EXPIRIES,
    STATE,
    USED,
    A,
    B,
    CacheWorld,
    V,
    cache_world,
    entry,
    names,
)
from tests.valkey import CLUSTER, Valkey
from tests.waiting import eventually


@pytest.fixture
async def world(server: Valkey, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[CacheWorld]:
    async with cache_world(server, monkeypatch) as world:
        yield world


async def test_what_was_stored_is_found_once_its_version_is_confirmed(world: CacheWorld) -> None:
    reply = bytes(range(256)) * 100
    assert await world.cache.lookup("acme", A, ANY) is None
    await world.begin(A)
    await world.cache.settle("acme", A, flight="f", entry=entry(reply), shared=None)
    assert await world.cache.lookup("acme", A, ANY) == Unverified()
    await world.cache.confirm("acme", V)
    found = await world.cache.lookup("acme", A, ANY)
    assert isinstance(found, Hit)
    assert (found.reply.serialized, found.tier, found.due) == (reply, cache_pb2.CACHE_TIER_EXACT, False)
    assert 0 <= found.age < 60
    assert await world.found(B) is None


async def test_the_same_meaning_is_found_by_other_words(world: CacheWorld) -> None:
    await world.put(CacheKey("a", "m"), entry(b"first"))
    found = await world.cache.lookup("acme", CacheKey("b", "m"), ANY)
    assert isinstance(found, Hit)
    assert (found.reply.serialized, found.tier) == (b"first", cache_pb2.CACHE_TIER_SEMANTIC)
    assert await world.found(CacheKey("b", "other")) is None
    assert await world.found(CacheKey("b")) is None
    await world.put(CacheKey("b", "m"), entry(b"second"))
    assert await world.found(CacheKey("a", "m")) == b"first"
    assert await world.found(CacheKey("c", "m")) == b"second"


async def test_a_meaning_ends_with_its_entry(world: CacheWorld) -> None:
    await world.put(CacheKey("a", "m"), entry(b"first", V, "x"))
    await world.change(V + 1, "x")
    assert await world.found(CacheKey("b", "m")) is None
    assert await world.redis.exists(ALIASES) == 0


async def test_tenants_are_apart(world: CacheWorld) -> None:
    await world.put(A, entry(b"ours", V, "x"))
    assert await world.found(A, tenant="other") is None
    await world.put(A, entry(b"theirs", V, "x"), tenant="other")
    await world.cache.advance("other", CorpusChange(V, V + 1, ["x"], unnamed=True))
    await world.cache.flush("other")
    assert await world.found() == b"ours"


@pytest.mark.parametrize(
    ("demand", "found"),
    [
        pytest.param(Freshness(min_corpus_version=V), True, id="of its own version"),
        pytest.param(Freshness(min_corpus_version=V + 1), False, id="of a newer one"),
        pytest.param(Freshness(max_age=600), True, id="younger than it may be"),
        pytest.param(Freshness(max_age=0), False, id="older than it may be"),
    ],
)
async def test_what_a_request_demands_decides_for_it_alone(world: CacheWorld, demand: Freshness, found: bool) -> None:
    await world.put(A, entry())
    await asyncio.sleep(0.002)
    assert (await world.found(A, demand) is not None) is found
    assert await world.found() == b"reply"


async def test_a_hit_costs_one_round_trip_whichever_tier_answers(world: CacheWorld) -> None:
    await world.put(CacheKey("a", "m"), entry(b"reply", V, *names(200)))
    before = await world.redis.info("commandstats")
    for key in (CacheKey("a", "m"), CacheKey("b", "m")):
        assert await world.found(key) == b"reply"
    after = await world.redis.info("commandstats")
    sent = ("cmdstat_evalsha", "cmdstat_get", "cmdstat_hget", "cmdstat_eval")

    def calls(stats: dict[str, dict[str, int]], name: str) -> int:
        return stats.get(name, {"calls": 0})["calls"]

    assert calls(after, "cmdstat_evalsha") - calls(before, "cmdstat_evalsha") == 2
    assert [calls(after, name) for name in sent[1:2]] == [calls(before, name) for name in sent[1:2]]


# What a gateway has at hand need not be sent again.


async def bytes_sent(world: CacheWorld) -> int:
    return int((await world.redis.info("stats"))["total_net_output_bytes"])


async def test_a_reply_at_hand_is_asked_for_and_not_sent_again(world: CacheWorld) -> None:
    reply = random.Random(1).randbytes(100_000)
    await world.put(CacheKey("a", "m"), entry(reply))
    for key in (CacheKey("a", "m"), CacheKey("b", "m")):
        sent = list[int]()
        for _ in range(2):
            before = await bytes_sent(world)
            assert await world.found(key) == reply
            sent.append(await bytes_sent(world) - before)
        assert sent[0] > len(reply) > 2 * sent[1]
    found = await world.cache.claim("acme", CacheKey("a", "m"), ANY, flight="f", lease=60, look=True)
    assert isinstance(found, Hit)
    assert found.reply == StoredReply.of(reply)
    assert unpack(found.reply.packed) == reply


async def test_what_another_gateway_has_put_in_its_place_is_sent(world: CacheWorld) -> None:
    await world.put(A, entry(b"first"))
    assert await world.found() == b"first"
    other = world.other()
    for number in range(50):
        # Within a millisecond as well as in different ones.
        await other.put(A, entry(b"reply %d" % number))
        assert await world.found() == b"reply %d" % number


async def test_a_reply_at_hand_dies_with_its_entry(world: CacheWorld) -> None:
    await world.put(A, entry(b"reply", V, "x"))
    assert await world.found() == b"reply"
    await world.other().cache.advance("acme", CorpusChange(V, V + 1, ["x"]))
    assert await world.found() is None
    await world.cache.confirm("acme", V + 1)
    assert await world.found() is None


# What ends an entry by time.


async def test_an_entry_ends_with_its_life_and_leaves_nothing(world: CacheWorld) -> None:
    short = world.other(ttl_seconds=0.2)
    await short.put(A, entry())

    async def is_gone() -> bool:
        return await world.found() is None

    await eventually("the entry ends", is_gone)
    assert await world.redis.exists(ENTRIES, USED, EXPIRIES) == 0


async def test_entries_that_are_over_leave_when_another_comes(world: CacheWorld) -> None:
    for number in range(5):
        await world.other(ttl_seconds=0.05).put(CacheKey(str(number)), entry())
    await asyncio.sleep(0.1)
    await world.put(A, entry())
    assert await world.fields("c:") == {"a"}
    assert (await world.cache.stats("acme")).entry_count == 1


async def test_a_corpus_that_moves_on_leaves_an_entry_a_while(world: CacheWorld) -> None:
    """It may miss what is new, though nothing that it names has changed."""
    await world.put(A, entry())
    await world.change(V + 1)
    assert await world.found() == b"reply"
    assert await world.other(new_documents_seconds=0).found() is None


async def test_without_a_new_version_an_entry_lives_on(world: CacheWorld) -> None:
    await world.put(A, entry())
    assert await world.other(new_documents_seconds=0).found() == b"reply"


@pytest.mark.parametrize("at", [STATE, "made"], ids=["trust", "entry"])
async def test_a_clock_that_was_set_back_keeps_nothing_alive(world: CacheWorld, at: str) -> None:
    await world.put(A, entry())
    moment = 1000 * (await world.redis.time())[0] + 3_600_000
    if at == STATE:
        await world.redis.hset(STATE, "until", moment)
        assert await world.cache.lookup("acme", A, ANY) == Unverified()
    else:
        value = await world.redis.hget(ENTRIES, "c:a")
        await world.redis.hset(ENTRIES, "c:a", value[:9] + moment.to_bytes(8) + value[17:])
        assert await world.found() is None


@pytest.mark.parametrize(
    ("life", "build_seconds", "due"),
    [
        pytest.param(600.0, 0.0, False, id="costs nothing"),
        pytest.param(600.0, 1e6, True, id="costs more than it lives"),
        pytest.param(600.0, 0.1, False, id="far from its end"),
    ],
)
async def test_somebody_makes_what_is_dear_or_near_its_end_anew(
    world: CacheWorld, life: float, build_seconds: float, due: bool
) -> None:
    await world.other(ttl_seconds=life).put(A, entry(seconds=build_seconds))
    for draw in (0.5, 0.999):
        cache = RedisContextCache(
            world.client,
            Breaker("due"),
            ttl_seconds=life,
            new_documents_seconds=60,
            max_bytes=1 << 20,
            draw=lambda draw=draw: draw,  # type: ignore[misc]  # bound at once
        )
        found = await cache.lookup("acme", A, ANY)
        assert isinstance(found, Hit)
        assert found.due is due


async def test_lives_are_jittered(world: CacheWorld) -> None:
    for number in range(20):
        await world.put(CacheKey(str(number)), entry())
    ends = [score for _, score in await world.redis.zrange(EXPIRIES, 0, -1, withscores=True)]
    assert max(ends) - min(ends) > 600_000 * 0.02


# Bound, counts, expiry.


async def test_beyond_its_bound_the_least_recently_used_goes(world: CacheWorld) -> None:
    small = world.other(max_bytes=100_000)
    chance = random.Random(1)
    for number in range(8):
        await small.put(CacheKey(str(number)), entry(chance.randbytes(10_000)))
        # Uses are noted to the second; a test need not wait for one.
        await world.redis.zadd(USED, {f"c:{number}": number})
    await small.found(CacheKey("0"))
    await small.put(CacheKey("8"), entry(chance.randbytes(30_000)))
    assert await world.fields("c:") == {"0", "3", "4", "5", "6", "7", "8"}
    stats = await small.cache.stats("acme")
    assert (stats.evicted_count, stats.max_bytes, stats.entry_count) == (2, 100_000, 7)
    assert 80_000 < stats.size_bytes <= 100_000


async def test_what_is_larger_than_the_bound_is_not_kept_and_ends_nothing(world: CacheWorld) -> None:
    small = world.other(max_bytes=10_000)
    await small.put(A, entry())
    await small.put(B, entry(random.Random(1).randbytes(20_000)))
    assert await small.found(B) is None
    assert await small.found(A) == b"reply"


async def test_an_entry_of_more_documents_than_a_script_may_look_at_is_not_kept(world: CacheWorld) -> None:
    await world.put(A, entry(b"reply", V, *names(2_000)))
    await world.put(B, entry(b"reply", V, *names(2_001)))
    assert (await world.found(A), await world.found(B)) == (b"reply", None)


async def test_what_is_larger_than_a_sweep_may_read_is_not_kept_but_handed_on(world: CacheWorld) -> None:
    large = world.other(max_bytes=64 << 20)
    reply = random.Random(1).randbytes(MAX_ENTRY_BYTES)
    await large.put(A, entry(reply[: MAX_ENTRY_BYTES * 9 // 10]))
    assert await large.found(A)
    await large.begin(B)
    await large.begin(B, flight="waiter")
    await large.cache.settle("acme", B, flight="f", entry=entry(reply), shared=None)
    assert await large.found(B) is None
    handed = await large.cache.claim("acme", B, ANY, flight="waiter", lease=60, look=True, waited=600)
    assert handed == Shared(StoredReply.of(reply))


async def test_an_erasure_reads_few_bytes_at_a_time(world: CacheWorld) -> None:
    large, chance = world.other(max_bytes=64 << 20), random.Random(1)
    for number in range(12):
        await large.put(CacheKey(str(number)), entry(chance.randbytes(1_000_000), V, "ax"[number % 2]))
    # The server has the scripts from then on.
    await large.cache.erase_documents("other", CorpusChange(V, V + 1, ["a"]))
    before = await scripts_run(world)
    assert await large.cache.erase_documents("acme", CorpusChange(V, V + 1, ["a"])) == 6
    # The announcement, and as many steps as it takes.
    assert await scripts_run(world) - before > 1 + 12_000_000 / (6 << 20)
    assert await world.fields("c:") == {str(number) for number in range(12) if number % 2}


async def scripts_run(world: CacheWorld) -> int:
    statistics = await world.redis.info("commandstats")
    return int(statistics["cmdstat_evalsha"]["calls"])


HEAD = 31
"""Bytes before a reply that names no document."""


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(lambda value: value[: HEAD + 6], id="cut off"),
        pytest.param(lambda value: value[:HEAD], id="nothing"),
        pytest.param(lambda value: value[: HEAD + 4] + b"no zlib", id="other bytes"),
        pytest.param(lambda value: value[:9], id="not even a head"),
    ],
)
@pytest.mark.parametrize("key", [CacheKey("a", "m"), CacheKey("b", "m")], ids=["exact", "semantic"])
async def test_what_cannot_be_read_counts_as_none_and_is_replaced(
    world: CacheWorld, broken: Callable[[bytes], bytes], key: CacheKey
) -> None:
    await world.put(CacheKey("a", "m"), entry(b"reply" * 20))

    async def spoil() -> None:
        await world.redis.hset(ENTRIES, "c:a", broken(await world.redis.hget(ENTRIES, "c:a")))

    await spoil()
    assert await world.found(key) is None
    assert await world.cache.claim("acme", key, ANY, flight="f", lease=60, look=True) == Lead()
    await world.cache.settle("acme", key, flight="f", entry=entry(b"new"), shared=None)
    assert await world.found(key) == b"new"


async def test_what_cannot_be_read_is_counted_as_stale(world: CacheWorld) -> None:
    await world.put(A, entry())
    await world.redis.hset(ENTRIES, "c:a", (await world.redis.hget(ENTRIES, "c:a"))[:-1])
    before = stale()
    await world.found()
    assert stale() == before + 1


def stale() -> float:
    return metrics.REGISTRY.get_sample_value("context_cache_stale_total") or 0.0


async def test_of_what_is_handed_on_and_cannot_be_read_another_is_made(world: CacheWorld) -> None:
    await world.begin(A)
    await world.begin(A, flight="waiter")
    await world.cache.settle("acme", A, flight="f", entry=None, shared=b"thin")
    await world.redis.hset(ENTRIES, "h:a", (await world.redis.hget(ENTRIES, "h:a"))[:-1])
    assert await world.cache.claim("acme", A, ANY, flight="waiter", lease=60, look=True, waited=600) == Lead()


async def test_it_is_counted_how_the_cache_served(world: CacheWorld) -> None:
    assert not (await world.cache.stats("acme")).HasField("start_time")
    await world.put(CacheKey("a", "m"), entry(b"reply", V, "x"))
    for key in (CacheKey("a", "m"), CacheKey("a", "m"), CacheKey("b", "m"), B):
        await world.found(key)
    await world.cache.claim("acme", B, ANY, flight="g", lease=1, look=True)
    await world.change(V + 1, "x")
    await world.found(A)
    stats = await world.cache.stats("acme")
    assert [(tier.tier, tier.hit_count) for tier in stats.tiers] == [
        (cache_pb2.CACHE_TIER_EXACT, 2),
        (cache_pb2.CACHE_TIER_SEMANTIC, 1),
    ]
    assert (stats.miss_count, stats.stale_count, stats.entry_count, stats.size_bytes) == (3, 1, 0, 0)
    since = stats.start_time.ToMilliseconds()
    assert abs(since - 1000 * (await world.redis.time())[0]) < 60_000
    await world.cache.flush("acme")
    stats = await world.cache.stats("acme")
    assert (stats.miss_count, [tier.hit_count for tier in stats.tiers], stats.stale_count) == (0, [0, 0], 0)
    assert stats.start_time.ToMilliseconds() >= since


async def test_everything_expires_and_the_state_outlives_every_entry(world: CacheWorld) -> None:
    """Redis evicts only what carries an expiry, and an entry must not outlive the word of what changed."""
    longest = max(
        constraint.le
        for name in ("cache_ttl_seconds", "selection_ttl_seconds")
        for constraint in GatewaySettings.model_fields[name].metadata
        if hasattr(constraint, "le")
    )
    await world.other(ttl_seconds=longest).put(CacheKey("a", "m"), entry(b"reply", V, "x"))
    await world.change(V + 1, "y")
    lives = {key.decode(): await world.redis.pttl(key) for key in await world.redis.keys("*")}
    assert set(lives) == set(cache_keys("acme"))
    assert min(lives.values()) > 0.89 * 1000 * longest
    assert min(lives[STATE], lives[CHANGES]) > max(lives[key] for key in (ENTRIES, ALIASES, USED, EXPIRIES))


@pytest.mark.parametrize("server", [CLUSTER], indirect=True)
@pytest.mark.parametrize("tenant", ["acme", "a", "x" * 63, "a-b_c"])
async def test_all_keys_of_a_tenant_are_in_one_slot(world: CacheWorld, tenant: str) -> None:
    keys = [*cache_keys(tenant), *(flight_key(tenant, f"{number:040x}") for number in range(20))]
    assert len({await world.redis.execute_command("CLUSTER", "KEYSLOT", key) for key in keys}) == 1


# Emptying.


async def test_a_flush_empties_a_tenant_and_what_is_being_made_is_not_stored(world: CacheWorld) -> None:
    await world.put(A, entry(b"ours"))
    await world.put(CacheKey("c", "m"), entry(b"ours"))
    await world.put(A, entry(b"theirs"), tenant="other")
    await world.begin(B)
    assert await world.cache.flush("acme") == 2
    await world.cache.settle("acme", B, flight="f", entry=entry(), shared=None)
    assert [await world.found(key) for key in (A, B, CacheKey("c", "m"))] == [None] * 3
    assert await world.found(A, tenant="other") == b"theirs"
    await world.put(B, entry())
    assert await world.found(B) == b"reply"


@pytest.mark.parametrize("count", [0, 1, 7, 1000])
async def test_what_names_an_erased_document_is_removed_and_nothing_else(world: CacheWorld, count: int) -> None:
    for number in range(count):
        await world.put(CacheKey(f"hit-{number}"), entry(b"reply", V, "x", f"d{number}"))
    for number in range(30):
        await world.put(CacheKey(f"kept-{number}"), entry(b"reply", V, f"d{number}"))
    await world.put(A, entry(b"reply", V, "x"), tenant="other")
    before = (await world.redis.info("commandstats")).get("cmdstat_scan")
    assert await world.cache.erase_documents("acme", CorpusChange(V, V + 1, ["x", "never"])) == count
    assert await world.fields("c:") == {f"kept-{number}" for number in range(30)}
    assert (await world.redis.info("commandstats")).get("cmdstat_scan") == before
    assert await world.found(A, tenant="other") == b"reply"
    assert (await world.state())["known"] == str(V + 1)


async def test_an_erasure_that_cannot_name_all_removes_all_that_is_older(world: CacheWorld) -> None:
    await world.put(A, entry(b"old", V, "x"))
    await world.put(B, entry(b"new", V + 2, "x"))
    assert await world.cache.erase_documents("acme", CorpusChange(V, V + 1, unnamed=True)) == 1
    assert await world.fields("c:") == {"b"}


async def test_of_an_erased_tenant_nothing_is_left_and_nothing_comes_back(world: CacheWorld) -> None:
    await world.put(CacheKey("a", "m"), entry(b"old", V, "x"))
    await world.change(V + 1, "y")
    await world.begin(B)
    assert await world.cache.erase_tenant("acme", V + 2) == 1
    await world.cache.settle("acme", B, flight="f", entry=entry(b"old", V), shared=None)
    assert {key.decode() for key in await world.redis.keys("*")} == {STATE, CHANGES}
    assert await world.redis.zrange(CHANGES, 0, -1) == [b"~"]
    await world.put(B, entry(b"older", V + 1))
    assert await world.found(B) is None


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary())
def test_what_is_packed_is_unpacked(message: bytes) -> None:
    assert unpack(pack(message)) == message


def test_documents_are_told_apart_and_named_once() -> None:
    assert digests(["a", "b", "a"]) == digests(["b", "a"])
    assert len(digests(names(1000))) == 8000
    assert digests(["a"]) != digests(["A"])
