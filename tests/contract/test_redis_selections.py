"""Selections in a real Valkey, alone and as a cluster's node, beside the replies of the same tenant."""

import random
from collections.abc import AsyncIterator, Callable

import pytest

from scic.selector.v1 import selector_service_pb2 as selector
from scic.type.v1 import passage_pb2
from services.chassis import metrics
from services.chassis.breaker import Breaker
from services.gateway.cache.packing import MAX_ENTRY_BYTES, pack
from services.gateway.cache.ports import CacheUnavailableError, CorpusChange
from services.gateway.cache.redis_selections import RedisSelectionCache
from services.gateway.redis import calls as redis_calls
from services.gateway.redis.calls import Patience
from tests.contract.cache_world import CHANGES, ENTRIES, STATE, A, CacheWorld, V, cache_world, entry
from tests.valkey import Valkey
from tests.waiting import eventually


@pytest.fixture
async def world(server: Valkey, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[CacheWorld]:
    async with cache_world(server, monkeypatch) as world:
        yield world


def selection(text: str, version: int = V, *names: str) -> selector.SelectResponse:
    passages = [
        passage_pb2.Passage(passage_id=f"{name}#0", document_id=name, text=text, prepared=bytes(range(256)))
        for name in names or ("a",)
    ]
    return selector.SelectResponse(
        passages=[selector.ScoredPassage(passage=passage, found_by="docs") for passage in passages],
        question_vector=b"\0\1\2\3",
        corpus_version=version,
    )


async def test_what_was_stored_is_found_in_the_order_asked(world: CacheWorld) -> None:
    a, b = selection("a"), selection("b")
    assert await world.selections.find("acme", ["a", "b"]) == [None, None]
    await world.selections.store("acme", {"a": a, "b": b})
    assert await world.selections.find("acme", ["b", "c", "a"]) == [b, None, a]


async def test_nobody_need_say_which_version_the_corpus_has(world: CacheWorld) -> None:
    """They stand in where the selector is away."""
    await world.selections.store("acme", {"a": selection("a")})
    await world.end_trust()
    assert await world.selections.find("acme", ["a"]) == [selection("a")]


async def test_tenants_are_apart(world: CacheWorld) -> None:
    await world.selections.store("acme", {"a": selection("ours")})
    assert await world.selections.find("other", ["a"]) == [None]
    await world.selections.store("other", {"a": selection("theirs")})
    await world.cache.advance("other", CorpusChange(V, V + 1, unnamed=True))
    assert await world.selections.find("acme", ["a"]) == [selection("ours")]


async def test_a_reply_and_a_selection_of_one_key_are_two(world: CacheWorld) -> None:
    await world.put(A, entry(b"reply"))
    assert await world.selections.find("acme", ["a"]) == [None]
    await world.selections.store("acme", {"a": selection("a")})
    assert await world.found() == b"reply"


@pytest.mark.parametrize(
    ("change", "found"),
    [
        pytest.param(CorpusChange(V, V + 1), True, id="something was added"),
        pytest.param(CorpusChange(V, V + 1, ["c"]), True, id="another document changed"),
        pytest.param(CorpusChange(V, V + 1, ["b"]), False, id="one of its documents changed"),
        pytest.param(CorpusChange(V - 1, V, ["b"]), True, id="it changed before it was found"),
        pytest.param(CorpusChange(V, V + 1, unnamed=True), False, id="nobody knows what changed"),
    ],
)
async def test_a_selection_dies_with_one_of_its_documents(world: CacheWorld, change: CorpusChange, found: bool) -> None:
    kept = selection("text", V, "a", "b")
    await world.selections.store("acme", {"k": kept})
    await world.cache.advance("acme", change)
    assert await world.selections.find("acme", ["k"]) == [kept if found else None]
    assert await world.fields("s:") == ({"k"} if found else set())


async def test_what_was_found_before_a_change_is_not_stored_after_it(world: CacheWorld) -> None:
    await world.cache.confirm("acme", V)
    await world.change(V + 1, "a")
    await world.selections.store("acme", {"old": selection("a", V), "other": selection("b", V, "b")})
    assert await world.fields("s:") == {"other"}
    await world.selections.store("acme", {"new": selection("a", V + 1)})
    assert await world.selections.find("acme", ["new"]) == [selection("a", V + 1)]


@pytest.mark.parametrize("lost", [STATE, CHANGES, ENTRIES])
async def test_without_the_word_of_what_changed_none_is_trusted(world: CacheWorld, lost: str) -> None:
    await world.selections.store("acme", {"a": selection("a")})
    await world.redis.delete(lost)
    assert await world.selections.find("acme", ["a"]) == [None]
    await world.selections.store("acme", {"b": selection("b", V + 1)})
    assert await world.selections.find("acme", ["a", "b"]) == [None, selection("b", V + 1)]


async def test_an_erasure_leaves_no_selection_of_the_document(world: CacheWorld) -> None:
    await world.selections.store("acme", {"a": selection("a"), "b": selection("b", V, "b")})
    assert await world.cache.erase_documents("acme", CorpusChange(V, V + 1, ["a"])) == 1
    assert await world.fields("s:") == {"b"}
    assert await world.cache.erase_tenant("acme", V + 2) == 1
    assert await world.fields("s:") == set()


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(lambda value: value[:-1], id="cut off"),
        pytest.param(lambda value: value[:39] + pack(b"no message"), id="another message"),
    ],
)
async def test_what_cannot_be_read_counts_as_none(world: CacheWorld, broken: Callable[[bytes], bytes]) -> None:
    await world.selections.store("acme", {"a": selection("a"), "b": selection("b")})
    await world.redis.hset(ENTRIES, "s:a", broken(await world.redis.hget(ENTRIES, "s:a")))
    before = stale()
    assert await world.selections.find("acme", ["a", "b"]) == [None, selection("b")]
    assert stale() == before + 1
    await world.selections.store("acme", {"a": selection("a")})
    assert await world.selections.find("acme", ["a"]) == [selection("a")]


def stale() -> float:
    return metrics.REGISTRY.get_sample_value("context_cache_stale_total") or 0.0


async def test_one_that_is_larger_than_a_sweep_may_read_is_not_kept(world: CacheWorld) -> None:
    large = world.other(max_bytes=64 << 20)
    text = random.Random(1).randbytes(2 * MAX_ENTRY_BYTES).hex()
    await large.selections.store("acme", {"large": selection(text), "small": selection("small")})
    assert await world.fields("s:") == {"small"}


async def test_they_share_the_bound_of_the_tenant(world: CacheWorld) -> None:
    small = world.other(max_bytes=40_000)
    text = random.Random(1).randbytes(20_000).hex()
    await small.put(A, entry(b"x" * 100))
    await small.selections.store("acme", {"a": selection(text)})
    await world.redis.zadd("scic:{acme}:cache:used", {"s:a": 1})
    await small.selections.store("acme", {"b": selection(text)})
    assert (await world.fields("s:"), await world.fields("c:")) == ({"b"}, {"a"})
    assert (await small.cache.stats("acme")).evicted_count == 1


async def test_a_selection_ends_with_its_life(world: CacheWorld) -> None:
    short = world.other(ttl_seconds=0.2)
    await short.selections.store("acme", {"a": selection("a")})

    async def is_gone() -> bool:
        return await world.selections.find("acme", ["a"]) == [None]

    await eventually("it ends", is_gone)


async def test_a_server_that_is_away_is_said_to_be_away_and_found_again(
    world: CacheWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_calls, "ON_THE_PATH", Patience(seconds=1.0, slow_seconds=1.0))
    breaker = Breaker("lonely", reset_timeout=0.2)
    selections = RedisSelectionCache(world.client, breaker, ttl_seconds=60, max_bytes=1 << 20)
    world.server.kill()
    try:
        with pytest.raises(CacheUnavailableError):
            await selections.find("acme", ["a"])
        with pytest.raises(CacheUnavailableError):
            await selections.store("acme", {"a": selection("a")})
    finally:
        world.server.start()

    async def works() -> bool:
        try:
            await selections.store("acme", {"a": selection("a")})
            return await selections.find("acme", ["a"]) == [selection("a")]
        except CacheUnavailableError:
            return False

    await eventually("the cache works again", works)
