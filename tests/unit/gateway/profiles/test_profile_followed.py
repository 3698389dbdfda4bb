"""What is in memory: fresh within seconds, there while the storage is away, and bounded."""

import asyncio

import pytest

from scic import errors
from scic.errors import ScicError
from services.gateway.profiles.followed import Followed
from tests.unit.gateway.profiles.kit import Clock


class Source:
    """A storage of numbers that can be away, or slow."""

    def __init__(self):
        self.values = {"a": 1}
        self.away = False
        self.reads = 0
        self.told = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, key, known):
        self.reads += 1
        self.told.append(known)
        value, away = self.values.get(key), self.away
        await self.gate.wait()
        if away:
            raise errors.STORAGE_UNAVAILABLE.error("away")
        return value


@pytest.fixture
def source():
    return Source()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def followed(source, clock):
    async with Followed(source, capacity=100, clock=clock) as memory:
        yield memory


async def settle(followed):
    await asyncio.gather(*followed._reads.values())


@pytest.mark.parametrize("key", ["a", "nothing"])
async def test_within_a_second_nothing_is_read_again(followed, source, clock, key):
    for clock.seconds in (0, 0.5, 1.0):
        assert await followed.get(key) == source.values.get(key)
    assert source.reads == 1


async def test_later_the_known_value_answers_while_it_is_read_again(followed, source, clock):
    await followed.get("a")
    source.values["a"], clock.seconds = 2, 1.5
    source.gate.clear()
    assert [await followed.get("a") for _ in range(10)] == [1] * 10
    assert source.reads <= 2, "one read in the background, not ten"
    source.gate.set()
    await settle(followed)
    assert (await followed.get("a"), source.reads) == (2, 2)


async def test_what_nobody_asked_for_long_is_read_before_it_answers(followed, source, clock):
    await followed.get("a")
    source.values["a"], clock.seconds = 2, 5.5
    assert await followed.get("a") == 2


async def test_while_the_storage_is_away_the_last_known_goes_on_answering(followed, source, clock):
    await followed.get("a")
    source.away = True
    for clock.seconds in range(0, 3600, 7):
        assert await followed.get("a") == 1
        await settle(followed)
    with pytest.raises(ScicError, match="away"):
        await followed.get("never read")
    source.away, source.values["a"] = False, 2
    clock.seconds += 2
    await followed.get("a")
    await settle(followed)
    assert await followed.get("a") == 2


async def test_a_storage_that_hangs_does_not_hold_up_what_is_known(followed, source, clock):
    await followed.get("a")
    source.gate.clear()
    clock.seconds = 20
    assert await asyncio.wait_for(followed.get("a"), 30) == 1
    assert source.reads == 2
    source.gate.set()


async def test_after_a_failure_long_ago_the_storage_is_asked_before_it_answers(followed, source, clock):
    """A label that was rolled back while nobody asked must not answer once more."""
    await followed.get("a")
    source.away, clock.seconds = True, 2
    await followed.get("a")
    await settle(followed)
    source.away, source.values["a"], clock.seconds = False, 2, 3600
    assert await followed.get("a") == 2


async def test_those_who_wait_share_a_read_and_one_that_leaves_takes_nothing_away(followed, source):
    source.gate.clear()
    waiting = [asyncio.create_task(followed.get("a")) for _ in range(5)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    source.gate.set()
    assert await asyncio.gather(*waiting[1:]) == [1] * 4
    assert source.reads == 1


async def test_a_read_that_is_under_way_does_not_undo_what_was_written(followed, source, clock):
    await followed.get("a")
    clock.seconds = 2
    source.gate.clear()
    assert await followed.get("a") == 1
    await asyncio.sleep(0)
    followed.learn("a", 7)
    source.gate.set()
    await settle(followed)
    assert await followed.get("a") == 7


async def test_a_read_is_told_what_is_known(followed, source, clock):
    for clock.seconds in (0, 1.5, 8, 9.5):
        await followed.get("a")
        await followed.get("nothing")
        await settle(followed)
    assert source.told == [None, None, 1, 1, None, 1]


async def test_that_there_is_nothing_holds_for_four_seconds(followed, source, clock):
    assert await followed.get("b") is None
    source.values["b"] = 2
    for clock.seconds in (2.0, 4.0, 4.5):
        assert await followed.get("b") is None
    await settle(followed)
    assert (await followed.get("b"), source.reads) == (2, 2)


async def test_what_is_forgotten_is_read_again(followed, source):
    for key in ("a", "nothing"):
        await followed.get(key)
    followed.forget(lambda key: key == "a")
    await followed.get("a")
    await followed.get("nothing")
    assert source.reads == 3


async def test_a_constant_value_is_read_once_and_one_that_is_not_there_again(source, clock):
    async with Followed(source, capacity=100, constant=True, clock=clock) as memory:
        assert (await memory.get("a"), await memory.get("b")) == (1, None)
        source.values |= {"a": 99, "b": 2}
        clock.seconds = 1e6
        assert (await memory.get("a"), await memory.get("b")) == (1, 2)


async def test_what_was_not_asked_for_longest_goes_first(source, clock):
    source.values = {key: int(key) for key in "123456"}
    async with Followed(source, capacity=9, weigh=lambda value: value, clock=clock) as memory:
        for key in "2342":
            await memory.get(key)
        assert source.reads == 3, "they fit"
        await memory.get("1")
        source.reads = 0
        for key in "142":
            await memory.get(key)
        assert source.reads == 0
        await memory.get("3")
        assert source.reads == 1
        assert await memory.get("6") == 6
        assert sum(entry.weight for entry in memory._entries.values()) == memory._weight <= 9


async def test_a_value_heavier_than_the_memory_is_given_all_the_same(source, clock):
    async with Followed(source, capacity=1, weigh=lambda _: 5, clock=clock) as memory:
        assert await memory.get("a") == 1


async def test_reads_end_with_it(source, clock):
    async with Followed(source, capacity=9, clock=clock) as memory:
        source.gate.clear()
        waiting = asyncio.create_task(memory.get("a"))
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await waiting
