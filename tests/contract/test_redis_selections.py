"""Selections against a real Valkey, alone and as a cluster's node, through the gateway's own wiring."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
from redis.asyncio import Redis

from scic.selector.v1 import selector_service_pb2 as selector
from scic.type.v1 import passage_pb2
from services.gateway import app
from services.gateway.ports import CacheUnavailableError
from services.gateway.redis_cache import RedisContextCache
from services.gateway.redis_keys import floor_key
from services.gateway.redis_selections import RedisSelectionCache
from services.gateway.settings import GatewaySettings
from tests.valkey import Valkey
from tests.waiting import eventually

KEYS = json.dumps({"keys": []})


@dataclass
class World:
    """What the gateway keeps in one server."""

    server: Valkey
    contexts: RedisContextCache
    selections: RedisSelectionCache


@pytest.fixture
async def world(server: Valkey, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with Redis.from_url(server.url) as redis:
        await redis.flushall()
    # What a request would not wait for, a test on a busy machine does.
    monkeypatch.setattr(app, "_REDIS_TIMEOUT", 20.0)
    settings = GatewaySettings(port=0, keys=KEYS, redis_url=server.url, redis_cluster=server.cluster)
    async with AsyncExitStack() as stack:
        contexts, selections = await app._cache(settings, stack), await app._selections(settings, stack)
        assert isinstance(contexts, RedisContextCache)
        assert isinstance(selections, RedisSelectionCache)
        yield World(server, contexts, selections)


def selection(text: str, version: int = 7) -> selector.SelectResponse:
    passage = passage_pb2.Passage(passage_id="a#0", document_id="a", text=text, prepared=bytes(range(256)))
    return selector.SelectResponse(
        passages=[selector.ScoredPassage(passage=passage, found_by="docs")],
        question_vector=b"\0\1\2\3",
        corpus_version=version,
    )


async def test_what_was_stored_is_found_in_the_order_asked(world: World) -> None:
    a, b = selection("a"), selection("b")
    assert await world.selections.find("acme", ["a", "b"]) == [None, None]
    await world.selections.store("acme", {"a": a, "b": b})
    assert await world.selections.find("acme", ["b", "c", "a"]) == [b, None, a]


async def test_tenants_are_apart(world: World) -> None:
    await world.selections.store("acme", {"a": selection("ours")})
    assert await world.selections.find("other", ["a"]) == [None]
    await world.selections.store("other", {"a": selection("theirs")})
    assert await world.selections.find("acme", ["a"]) == [selection("ours")]
    await world.contexts.publish_version("other", 8, removed=True)
    assert await world.selections.find("acme", ["a"]) == [selection("ours")]


@pytest.mark.parametrize(
    ("version", "removed", "found"),
    [
        pytest.param(8, False, True, id="something was added"),
        pytest.param(8, True, False, id="something was removed or replaced"),
        pytest.param(7, True, True, id="removed before it was found"),
        pytest.param(1_795_531_022_249_996, True, False, id="microseconds"),
    ],
)
async def test_what_was_removed_never_stands_in(world: World, version: int, removed: bool, found: bool) -> None:
    await world.selections.store("acme", {"a": selection("a")})
    await world.contexts.publish_version("acme", version, removed=removed)
    assert await world.selections.find("acme", ["a"]) == [selection("a") if found else None]


async def test_what_was_found_before_a_removal_is_not_stored_after_it(world: World) -> None:
    await world.contexts.publish_version("acme", 8, removed=True)
    await world.selections.store("acme", {"a": selection("a", 7)})
    async with Redis.from_url(world.server.url) as redis:
        assert [key async for key in redis.scan_iter(match="*:selection:*")] == []
    await world.selections.store("acme", {"a": selection("a", 8)})
    assert await world.selections.find("acme", ["a"]) == [selection("a", 8)]


async def test_storing_leaves_the_floor_where_it_is(world: World) -> None:
    """So that what was found at different versions, without a removal between them, is all good."""
    await world.selections.store("acme", {"a": selection("a", 7)})
    await world.selections.store("acme", {"b": selection("b", 9)})
    assert await world.selections.find("acme", ["a", "b"]) == [selection("a", 7), selection("b", 9)]


async def test_without_a_floor_nothing_older_is_trusted(world: World) -> None:
    """A floor may be evicted, and with it the word of a removal."""
    await world.selections.store("acme", {"a": selection("a", 7)})
    async with Redis.from_url(world.server.url) as redis:
        await redis.delete(floor_key("acme"))
    assert await world.selections.find("acme", ["a"]) == [None]
    await world.selections.store("acme", {"b": selection("b", 9)})
    assert await world.selections.find("acme", ["a", "b"]) == [None, selection("b", 9)]


async def test_erasing_a_tenant_leaves_no_selection(world: World) -> None:
    await world.selections.store("acme", {"a": selection("a"), "b": selection("b")})
    await world.contexts.erase("acme", 8)
    async with Redis.from_url(world.server.url) as redis:
        assert [key async for key in redis.scan_iter(match="*:selection:*")] == []


async def test_everything_expires_and_the_floor_last(world: World) -> None:
    await world.selections.store("acme", {"a": selection("a")})
    async with Redis.from_url(world.server.url) as redis:
        keys = [key async for key in redis.scan_iter()]
        lives = {key: await redis.pttl(key) for key in keys}
    assert len(lives) == 2
    assert min(lives.values()) > 0
    assert max(lives, key=lives.__getitem__) == floor_key("acme").encode()


async def test_a_server_that_is_away_is_said_to_be_away_and_found_again(world: World) -> None:
    await world.selections.store("acme", {"a": selection("a")})
    world.server.kill()
    try:
        with pytest.raises(CacheUnavailableError):
            await world.selections.find("acme", ["a"])
        with pytest.raises(CacheUnavailableError):
            await world.selections.store("acme", {"a": selection("a")})
    finally:
        world.server.start()

    async def works() -> bool:
        try:
            await world.selections.store("acme", {"a": selection("a")})
            return await world.selections.find("acme", ["a"]) == [selection("a")]
        except CacheUnavailableError:
            return False

    await eventually("the cache works again", works)
