"""A version is asked for once, in time, and the cache hears the answer."""

import asyncio
from dataclasses import dataclass, field

import pytest

from scic import errors
from scic.selector.v1 import selector_service_pb2 as selector
from services.chassis.deadline import Deadline
from services.gateway.cache.corpus_versions import CorpusVersions
from tests.fake_cache import FakeCache
from tests.fakes import FakeSelector
from tests.waiting import LONG


@dataclass
class SlowSelector(FakeSelector):
    """Answers when it is told to."""

    go: asyncio.Event = field(default_factory=asyncio.Event)
    asked: int = 0

    async def get_corpus_version(self, request, *, timeout):
        self.asked += 1
        await self.go.wait()
        return await super().get_corpus_version(request, timeout=timeout)


def soon() -> Deadline:
    return Deadline.after(LONG)


async def test_the_cache_hears_what_the_selector_says() -> None:
    stage, cache = FakeSelector(), FakeCache()
    stage.store("acme", "a", "text")
    assert await CorpusVersions(stage, cache).confirm("acme", soon())
    assert (cache.versions, cache.confirmed) == ({"acme": 1}, {"acme"})


@pytest.mark.parametrize("away", ["selector", "cache", "corpus"])
async def test_without_an_answer_nothing_is_confirmed(away: str) -> None:
    stage, cache = FakeSelector(away=away == "selector"), FakeCache(away=away == "cache")
    if away == "corpus":

        async def is_corrupt(request: selector.GetCorpusVersionRequest, *, timeout: float) -> None:
            raise errors.CORRUPT_CORPUS.error("it cannot be read")

        stage.get_corpus_version = is_corrupt  # type: ignore[method-assign]  # a fake
    assert not await CorpusVersions(stage, cache).confirm("acme", soon())
    assert not cache.confirmed


async def test_those_who_ask_at_the_same_time_ask_once() -> None:
    stage, cache = SlowSelector(), FakeCache()
    versions = CorpusVersions(stage, cache)
    asking = [asyncio.create_task(versions.confirm("acme", soon())) for _ in range(100)]
    asking.append(asyncio.create_task(versions.confirm("other", soon())))
    await asyncio.sleep(0)
    stage.go.set()
    assert await asyncio.gather(*asking) == [True] * 101
    assert (stage.asked, cache.confirmed) == (2, {"acme", "other"})
    assert await versions.confirm("acme", soon())
    assert stage.asked == 3


async def test_who_has_no_time_does_not_wait_and_who_leaves_takes_nobody_along() -> None:
    stage, cache = SlowSelector(), FakeCache()
    versions = CorpusVersions(stage, cache)
    hurried = asyncio.create_task(versions.confirm("acme", Deadline.after(0.001)))
    leaving = asyncio.create_task(versions.confirm("acme", soon()))
    patient = asyncio.create_task(versions.confirm("acme", soon()))
    assert not await hurried
    leaving.cancel()
    await asyncio.wait([leaving])
    stage.go.set()
    assert await patient
    assert stage.asked == 1
