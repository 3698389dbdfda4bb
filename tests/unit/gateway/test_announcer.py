"""Versions are announced at last, whatever the cache goes through."""

from collections.abc import AsyncIterator
from functools import partial

import pytest

from services.gateway.announcer import Announcer
from tests.fakes import FakeCache
from tests.waiting import eventually


@pytest.fixture
def cache() -> FakeCache:
    return FakeCache()


@pytest.fixture
async def announcer(cache: FakeCache) -> AsyncIterator[Announcer]:
    async with Announcer(cache, retry_seconds=0) as announcer:
        yield announcer


async def test_a_version_is_announced_before_the_caller_goes_on(cache: FakeCache, announcer: Announcer) -> None:
    await announcer.announce("acme", 7, removed=False)
    assert (cache.versions, cache.floors) == ({"acme": 7}, {})


@pytest.mark.parametrize(
    ("missed", "version", "floor"),
    [
        pytest.param([(7, False)], 7, None, id="one"),
        pytest.param([(7, False), (8, False)], 8, None, id="the newest"),
        pytest.param([(8, False), (7, False)], 8, None, id="in any order"),
        pytest.param([(7, True), (8, False)], 8, 8, id="a removal is not forgotten over a newer version"),
    ],
)
async def test_what_was_missed_is_announced_when_the_cache_is_back(
    cache: FakeCache, announcer: Announcer, missed: list[tuple[int, bool]], version: int, floor: int | None
) -> None:
    cache.away = True
    for number, removed in missed:
        await announcer.announce("acme", number, removed=removed)
    await announcer.announce("other", 3, removed=False)
    assert not cache.versions
    cache.away = False
    await eventually("both tenants are announced", lambda: cache.versions == {"acme": version, "other": 3})
    assert cache.floors.get("acme") == floor


def announced(cache: FakeCache, number: int) -> bool:
    return cache.floors.get("acme") == number


async def test_it_goes_on_after_it_has_caught_up(cache: FakeCache, announcer: Announcer) -> None:
    for number in (1, 2):
        cache.away = True
        await announcer.announce("acme", number, removed=True)
        cache.away = False
        await eventually("the version is announced", partial(announced, cache, number))


async def test_only_the_newest_of_each_tenant_is_remembered(cache: FakeCache, announcer: Announcer) -> None:
    cache.away = True
    for number in range(1000):
        await announcer.announce(f"tenant-{number % 3}", number, removed=False)
    assert len(announcer._waiting) == 3
