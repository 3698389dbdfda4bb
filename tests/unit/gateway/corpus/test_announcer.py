"""Changes are announced at last, whatever the cache goes through."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from services.gateway.cache.ports import CacheUnavailableError, CorpusChange
from services.gateway.corpus.announcer import Announcer
from tests.fake_cache import FakeCache
from tests.waiting import eventually


@pytest.fixture
def cache() -> FakeCache:
    return FakeCache()


@pytest.fixture
async def announcer(cache: FakeCache) -> AsyncIterator[Announcer]:
    async with Announcer(cache, retry_seconds=0) as announcer:
        yield announcer


async def test_a_change_is_announced_before_the_caller_goes_on(cache: FakeCache, announcer: Announcer) -> None:
    await announcer.announce("acme", CorpusChange(6, 7, ["a"]))
    assert cache.changes == [("acme", CorpusChange(6, 7, ["a"]))]
    await announcer.confirm("acme", 9)
    assert (cache.floors, cache.confirmed) == ({"acme": 9}, {"acme"})


@pytest.mark.parametrize(
    ("missed", "announced"),
    [
        pytest.param([CorpusChange(6, 7, ["a"])], CorpusChange(6, 7, ["a"]), id="one"),
        pytest.param(
            [CorpusChange(6, 7, ["a"]), CorpusChange(7, 8, ["b"])], CorpusChange(6, 8, ["a", "b"]), id="in a row"
        ),
        pytest.param(
            [CorpusChange(7, 8, ["b"]), CorpusChange(6, 7, ["a"])], CorpusChange(6, 8, ["a", "b"]), id="in any order"
        ),
        pytest.param(
            [CorpusChange(6, 7, ["a"]), CorpusChange(6, 7, ["a"])], CorpusChange(6, 7, ["a"]), id="the same twice"
        ),
        pytest.param(
            [CorpusChange(6, 7, ["a"]), CorpusChange(8, 9, ["b"])],
            CorpusChange(6, 9, unnamed=True),
            id="another gateway's change between them",
        ),
        pytest.param(
            [CorpusChange(6, 7, unnamed=True), CorpusChange(7, 8)],
            CorpusChange(6, 8, unnamed=True),
            id="what was unnamed stays so",
        ),
        pytest.param(
            [CorpusChange(6, 7, [f"a{n}" for n in range(1500)]), CorpusChange(7, 8, [f"b{n}" for n in range(1500)])],
            CorpusChange(6, 8, unnamed=True),
            id="too many to remember",
        ),
    ],
)
async def test_what_was_missed_is_announced_when_the_cache_is_back(
    cache: FakeCache, announcer: Announcer, missed: list[CorpusChange], announced: CorpusChange
) -> None:
    cache.away = True
    for change in missed:
        await announcer.announce("acme", change)
    await announcer.announce("other", CorpusChange(2, 3))
    assert not cache.changes
    cache.away = False
    await eventually("both tenants are announced", lambda: len(cache.changes) == 2)
    told = dict(cache.changes)
    assert (told["acme"].previous_version, told["acme"].corpus_version) == (
        announced.previous_version,
        announced.corpus_version,
    )
    assert (list(told["acme"].document_ids), told["acme"].unnamed) == (list(announced.document_ids), announced.unnamed)
    assert told["other"] == CorpusChange(2, 3)


async def test_a_version_that_could_not_be_confirmed_ends_all_that_is_older(
    cache: FakeCache, announcer: Announcer
) -> None:
    """By the time that the cache is back, it is the present version no more."""
    cache.away = True
    await announcer.confirm("acme", 7)
    cache.away = False
    await eventually("it is announced", lambda: cache.floors == {"acme": 7})
    assert not cache.confirmed


def announced(cache: FakeCache, number: int) -> bool:
    return cache.versions.get("acme") == number


async def test_it_goes_on_after_it_has_caught_up(cache: FakeCache, announcer: Announcer) -> None:
    for number in (1, 2):
        cache.away = True
        await announcer.announce("acme", CorpusChange(number - 1, number))
        cache.away = False
        await eventually("the version is announced", partial(announced, cache, number))


@dataclass
class StubbornCache(FakeCache):
    """Takes no change of one tenant."""

    tenant: str = "stubborn"
    error: Exception = field(default_factory=CacheUnavailableError)
    refused: int = 0

    async def advance(self, tenant: str, change: CorpusChange) -> None:
        if tenant == self.tenant:
            self.refused += 1
            raise self.error
        await super().advance(tenant, change)


@pytest.mark.parametrize("error", [CacheUnavailableError("wrong type"), ValueError("a bug")])
async def test_a_tenant_whose_changes_are_refused_holds_up_no_other_and_is_tried_on(
    error: Exception,
) -> None:
    cache = StubbornCache(error=error)
    with capture_logs() as lines:
        async with Announcer(cache, retry_seconds=0) as announcer:
            announcer.announce_later("stubborn", CorpusChange(6, 7))
            await eventually("it is refused", lambda: cache.refused > 2)
            announcer.announce_later("acme", CorpusChange(1, 2))
            await eventually("the other is announced", lambda: cache.changes == [("acme", CorpusChange(1, 2))])
            cache.tenant = ""
            await eventually("both are announced", lambda: ("stubborn", CorpusChange(6, 7)) in cache.changes)
    assert [(line["tenant"], line["error"]) for line in lines] == [("stubborn", type(error).__name__)]


@dataclass
class SlowCache(FakeCache):
    """Never answers, the first time."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def advance(self, tenant: str, change: CorpusChange) -> None:
        if not self.asked.is_set():
            self.asked.set()
            await asyncio.Event().wait()
        await super().advance(tenant, change)


async def test_a_change_is_announced_although_the_caller_has_left() -> None:
    cache = SlowCache()
    async with Announcer(cache, retry_seconds=0) as announcer:
        call = asyncio.create_task(announcer.announce("acme", CorpusChange(6, 7, ["a"])))
        await cache.asked.wait()
        call.cancel()
        await eventually("it is announced", lambda: cache.changes == [("acme", CorpusChange(6, 7, ["a"]))])
        assert call.cancelled()


async def test_one_change_of_each_tenant_is_remembered(cache: FakeCache, announcer: Announcer) -> None:
    cache.away = True
    for number in range(1, 1001):
        await announcer.announce(f"tenant-{number % 3}", CorpusChange(number - 1, number, [f"d{number}"]))
    assert len(announcer._waiting) == 3


def ends(change: CorpusChange, version: int, name: str) -> bool:
    """Whether an entry of a version that names a document dies of a change."""
    return version < change.corpus_version and (change.unnamed or name in change.document_ids)


CHAIN = st.lists(
    st.builds(lambda names, unnamed: (names, unnamed), st.sets(st.sampled_from("abc")), st.booleans()), min_size=2
).map(
    lambda steps: [
        CorpusChange(number, number + 1, sorted(names), unnamed=unnamed)
        for number, (names, unnamed) in enumerate(steps)
    ]
)


@given(CHAIN.flatmap(lambda chain: st.tuples(st.just(chain), st.lists(st.sampled_from(chain), min_size=1))))
async def test_a_merged_change_ends_all_that_any_of_its_own_would(
    given: tuple[list[CorpusChange], list[CorpusChange]],
) -> None:
    """And what it says of the chain is no more than it knows: all changes between its versions are in it."""
    chain, missed = given
    cache = FakeCache(away=True)
    announcer = Announcer(cache)
    for change in missed:
        await announcer.announce("acme", change)
    merged = announcer._waiting["acme"]
    between: Iterable[CorpusChange] = [
        change for change in chain if merged.previous_version < change.corpus_version <= merged.corpus_version
    ]
    for change in [*missed, *between]:
        for version in range(len(chain) + 1):
            for name in "abc":
                assert ends(merged, version, name) or not ends(change, version, name)
