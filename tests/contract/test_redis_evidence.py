"""An entry dies when a document that it names changes, and with no other, whatever is heard of the corpus and when."""

import itertools
import random
from collections.abc import AsyncIterator

import pytest

from services.gateway.cache import redis_scripts
from services.gateway.cache.ports import LOST_CHANGE, CorpusChange, Lead, Unverified
from tests.contract.cache_world import (
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
)
from tests.valkey import Valkey
from tests.waiting import eventually


@pytest.fixture
async def world(server: Valkey, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[CacheWorld]:
    async with cache_world(server, monkeypatch) as world:
        yield world


@pytest.mark.parametrize(
    ("changes", "alive"),
    [
        pytest.param([CorpusChange(V, V + 1)], True, id="something was added"),
        pytest.param([CorpusChange(V, V + 1, ["y"])], True, id="another document changed"),
        pytest.param([CorpusChange(V, V + 1, ["x"])], False, id="it changed"),
        pytest.param([CorpusChange(V, V + 1, ["y", "x"])], False, id="it and another changed"),
        pytest.param([CorpusChange(V - 1, V, ["x"])], True, id="it changed before"),
        pytest.param([CorpusChange(V, V + 1, unnamed=True)], False, id="nobody knows what changed"),
        pytest.param([CorpusChange(V - 1, V, unnamed=True)], True, id="before, nobody knows what"),
        pytest.param([CorpusChange(V + 4, V + 5, ["x"])], False, id="it changed after something unheard"),
        pytest.param([CorpusChange(V, V + 1, ["x"]), CorpusChange(V - 1, V, ["x"])], False, id="old news afterwards"),
        pytest.param([CorpusChange(V, V + 1, ["y"])] * 3, True, id="the same news again"),
        pytest.param([CorpusChange(V, V)], True, id="a write that changed nothing"),
        pytest.param([CorpusChange(0, V + 1)], False, id="from one who does not know what it followed"),
        pytest.param(
            [CorpusChange(V, V + 1, [f"y{number}" for number in range(2_001)])], False, id="more than can be named"
        ),
        pytest.param([CorpusChange(V, V + 1, [f"y{number}" for number in range(2_000)])], True, id="many others"),
    ],
)
async def test_an_entry_dies_with_its_evidence(world: CacheWorld, changes: list[CorpusChange], alive: bool) -> None:
    await world.put(A, entry(b"reply", V, "w", "x"))
    for change in changes:
        await world.cache.advance("acme", change)
    # Where nobody knows what changed, none is trusted before this.
    await world.cache.confirm("acme", V)
    assert await world.found() == (b"reply" if alive else None)
    assert ("a" in await world.fields("c:")) is alive


@pytest.mark.parametrize("names", [["x"], [], ["x", "y"], [f"z{number}" for number in range(1_500)]])
async def test_an_entry_that_is_older_than_a_change_is_refused_for_its_documents_only(
    world: CacheWorld, names: list[str]
) -> None:
    """Its build had begun before."""
    await world.put(B, entry(b"other", V))
    await world.begin(A)
    await world.change(V + 1, "x")
    await world.cache.settle("acme", A, flight="f", entry=entry(b"reply", V, *names), shared=None)
    assert ("a" in await world.fields("c:")) is ("x" not in names)
    assert await world.found() == (None if "x" in names else b"reply")


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
async def test_a_chain_is_whole_in_whatever_order_it_is_heard(world: CacheWorld, order: tuple[int, ...]) -> None:
    await world.put(A, entry(b"reply", V, "x"))
    for step in order:
        await world.change(V + step + 1, f"y{step}")
    assert (await world.state())["known"] == str(V + 4)
    assert not [name for name in await world.state() if name.startswith("link:")]
    await world.cache.confirm("acme", V + 4)
    assert await world.found() == b"reply"


async def test_a_long_chain_is_whole_although_many_gateways_announce_it(world: CacheWorld) -> None:
    await world.put(A, entry(b"reply", V, "x"))
    steps = list(range(60))
    random.Random(1).shuffle(steps)
    others = [world.cache, world.other().cache]
    for number, step in enumerate(steps):
        await others[number % 2].advance("acme", CorpusChange(V + step, V + step + 1, ["y"]))
    assert (await world.state())["known"] == str(V + 60)
    assert await world.found() == b"reply"


async def test_a_merged_change_that_reaches_back_over_what_is_known_goes_on_with_the_chain(world: CacheWorld) -> None:
    await world.put(A, entry(b"reply", V, "x"))
    await world.change(V + 2, "y", before=V)
    await world.change(V + 5, "y", before=V + 1)
    await world.cache.confirm("acme", V + 5)
    assert await world.found() == b"reply"


async def test_a_change_that_went_by_unheard_ends_all_that_is_older(world: CacheWorld) -> None:
    await world.put(A, entry(b"reply", V, "x"))
    await world.change(V + 3, "y", before=V + 2)
    assert await world.found() == b"reply"  # for as long as the version is trusted
    await world.end_trust()
    assert await world.cache.lookup("acme", A, ANY) == Unverified()
    await world.cache.confirm("acme", V + 3)
    assert await world.found() is None
    await world.put(A, entry(b"new", V + 3, "x"))
    assert await world.found() == b"new"


async def test_what_is_heard_late_does_not_end_what_was_made_since(world: CacheWorld) -> None:
    await world.put(B, entry(b"reply", V))
    await world.put(A, entry(b"reply", V + 2, "x"))
    for version in (V + 2, V + 1):
        await world.change(version, "x")
    assert await world.found() == b"reply"


async def test_of_too_many_changes_that_hang_in_the_air_the_missing_ones_are_given_up(world: CacheWorld) -> None:
    await world.put(A, entry(b"reply", V, "x"))
    for number in range(64):
        await world.change(V + 3 * number + 5, "y")
    assert await world.found() == b"reply"
    await world.change(V + 1000, "y")
    assert await world.found() is None
    state = await world.state()
    assert (state["known"], state["floor"]) == (str(V + 1000), str(V + 1000))
    assert not [name for name in state if name.startswith("link:")]


async def test_only_a_confirmation_makes_a_version_trusted(world: CacheWorld) -> None:
    """An announcement may come late, after another that never will."""
    await world.put(A, entry(b"reply", V, "x"))
    await world.end_trust()
    await world.change(V + 1, "y")
    assert await world.cache.lookup("acme", A, ANY) == Unverified()
    assert await world.cache.claim("acme", A, ANY, flight="g", lease=1, look=True) == Unverified()
    await world.cache.confirm("acme", V + 1)
    assert await world.found() == b"reply"


@pytest.mark.parametrize("happened", [True, False], ids=["it was made", "it was not"])
async def test_a_write_whose_answer_was_lost_ends_the_trust(world: CacheWorld, happened: bool) -> None:
    """What is stored stays, until it turns out whether there is a version that nobody announced."""
    await world.put(A, entry(b"reply", V, "x"))
    await world.begin(B)
    await world.begin(B, flight="waiter")
    await world.cache.settle("acme", B, flight="f", entry=None, shared=b"thin")
    await world.cache.advance("acme", LOST_CHANGE)
    assert await world.cache.lookup("acme", A, ANY) == Unverified()
    assert await world.cache.claim("acme", B, ANY, flight="waiter", lease=1, look=True, waited=600) == Lead()
    await world.cache.confirm("acme", V + happened)
    assert await world.found() == (None if happened else b"reply")


async def test_a_write_whose_answer_was_lost_is_heard_of_before_any_version_is_known(world: CacheWorld) -> None:
    await world.cache.advance("acme", LOST_CHANGE)
    await world.put(A, entry(b"reply", V, "x"))
    assert await world.found() == b"reply"


async def test_trust_ends_by_itself(world: CacheWorld) -> None:
    await world.put(A, entry(b"reply", V, "x"))
    until = int((await world.state())["until"])
    seconds, micros = await world.redis.time()
    assert 0 < until - (1000 * seconds + micros // 1000) <= 5_000

    async def has_ended() -> bool:
        return await world.cache.lookup("acme", A, ANY) == Unverified()

    await eventually("the version is no longer trusted", has_ended)


async def test_a_confirmation_of_an_older_version_changes_nothing(world: CacheWorld) -> None:
    await world.put(A, entry(b"reply", V + 2, "x"))
    await world.change(V + 3, "y", before=V + 2)
    await world.cache.confirm("acme", V)
    assert (await world.state())["known"] == str(V + 3)
    assert await world.found() == b"reply"


async def test_nothing_of_before_the_first_version_that_is_seen_is_trusted(world: CacheWorld) -> None:
    await world.change(V + 1, unnamed=True)
    await world.begin(A)
    await world.cache.settle("acme", A, flight="f", entry=entry(b"old", V), shared=None)
    await world.cache.confirm("acme", V + 1)
    assert await world.found() is None
    await world.put(A, entry(b"new", V + 1))
    assert await world.found() == b"new"


async def test_a_tenant_that_is_written_to_and_never_read_takes_little_room(world: CacheWorld) -> None:
    for number in range(200):
        await world.change(V + number + 1, "y")
    assert await world.redis.hlen(STATE) < 90
    assert await world.redis.zcard(CHANGES) == 2
    await world.put(A, entry(b"reply", V + 200, "x"))
    assert await world.found() == b"reply"


async def test_of_many_changed_documents_the_oldest_changes_become_the_floor(
    world: CacheWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = redis_scripts.ADVANCE.replace(
        "CHANGED, STEP = 691200000, 5000, 64, 50000", "CHANGED, STEP = 691200000, 5000, 64, 10"
    )
    assert small != redis_scripts.ADVANCE
    monkeypatch.setattr(world.cache, "_advance", world.client.register_script(small))
    await world.put(A, entry(b"old", V, "x"))
    for number in range(1, 13):
        await world.change(V + number, f"y{number}")
        if number == 5:
            await world.put(B, entry(b"newer", V + 5, "x"))
    assert await world.redis.zcard(CHANGES) == 11
    assert (await world.state())["floor"] == str(V + 2)
    assert (await world.found(A), await world.found(B)) == (None, b"newer")


@pytest.mark.parametrize("lost", [STATE, CHANGES])
async def test_without_the_word_of_what_changed_nothing_is_trusted(world: CacheWorld, lost: str) -> None:
    await world.put(A, entry(b"reply", V, "x"))
    await world.change(V + 1, "y")
    await world.begin(B, flight="late")
    await world.redis.delete(lost)
    assert await world.found() is None
    await world.cache.confirm("acme", V + 1)
    await world.cache.settle("acme", B, flight="late", entry=entry(b"late", V + 1), shared=None)
    assert (await world.found(A), await world.found(B)) == (None, None)
    assert await world.redis.exists(ENTRIES) == 0
    await world.put(A, entry(b"new", V + 1, "x"))
    assert await world.found() == b"new"


@pytest.mark.parametrize("lost", [ENTRIES, USED, EXPIRIES])
async def test_entries_without_their_order_are_given_up(world: CacheWorld, lost: str) -> None:
    """Nobody could bound them, or find them for an erasure."""
    await world.put(A, entry(b"reply", V, "x"))
    await world.put(B, entry(b"reply", V, "x"))
    await world.redis.delete(lost)
    gone = await world.cache.erase_documents("acme", CorpusChange(V, V + 1, ["y"]))
    assert gone == (0 if lost == ENTRIES else 2)
    assert await world.redis.exists(ENTRIES, USED, EXPIRIES) == 0
    await world.put(A, entry(b"new", V + 1, "x"))
    assert await world.found() == b"new"
    assert (await world.cache.stats("acme")).entry_count == 1


async def test_a_server_that_lost_its_last_second_is_not_believed_for_long(world: CacheWorld) -> None:
    """It comes back as it was: it never heard of a change, nor of the one after it."""
    await world.put(A, entry(b"reply", V, "x"))
    await world.change(V + 2, "y", before=V + 1)  # the one from V on, of x, is lost
    await world.end_trust()
    await world.cache.confirm("acme", V + 2)
    assert await world.found() is None
