"""The ledger on a real folder, with its index in memory, in a real Valkey, and in a cluster's node."""

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, create_subprocess_exec
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis, RedisCluster

from scic.errors import ScicError
from scic.gateway.v1 import ledger_service_pb2 as pb
from scic.gateway.v1.context_service_pb2 import CACHE_STATUS_HIT, CACHE_STATUS_MISS, BuildContextResponse
from services.gateway.cache.stored_reply import StoredReply
from services.gateway.ledger.segment import unpack
from services.gateway.ledger.stored_ledger import StoredLedger
from services.gateway.ledger.wiring import open_ledger
from services.gateway.storage import open_storage
from tests.unit.gateway.ledger.records import (
    ADMIN,
    NOBODY,
    NOON,
    SALES,
    SALES_TOO,
    STRANGER,
    SUPPORT,
    Clock,
    flushed,
    record,
)
from tests.valkey import Valkey
from tests.waiting import LONG, eventually

HOUR = 3600.0
DAY = 24 * HOUR


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Valkey]]:
    started = {kind: Valkey(tmp_path_factory.mktemp(kind), cluster=kind == "cluster") for kind in ("alone", "cluster")}
    for server in started.values():
        server.start()
    yield started
    for server in started.values():
        server.kill()


@dataclass
class World:
    """A folder, perhaps a Valkey, and gateways that come and go."""

    folder: Path
    server: Valkey | None
    stack: AsyncExitStack
    clock: Clock

    async def open(self, *, max_records: int = 1000, days: float = 7) -> StoredLedger:
        """The ledger of another gateway."""
        return await self.stack.enter_async_context(self.opened(max_records=max_records, days=days))

    def opened(self, *, max_records: int = 1000, days: float = 7) -> Any:
        """The same as a context manager: leaving it is the gateway's end."""
        redis = self.redis()
        if redis is not None:
            self.stack.push_async_callback(redis.aclose)
        storage = open_storage(self.folder.as_uri())
        return open_ledger(storage, redis, days=days, max_records=max_records, clock=self.clock)

    def redis(self) -> Redis | RedisCluster | None:
        if self.server is None:
            return None
        kind = RedisCluster if self.server.cluster else Redis
        return kind.from_url(self.server.url, socket_timeout=20.0)

    def segments(self, tenant: str = "acme") -> list[Path]:
        return [path for path in sorted(self.folder.glob(f"{tenant}/ledger/*/*/*")) if path.is_file()]


@pytest.fixture(params=["memory", "alone", "cluster"])
async def world(request: pytest.FixtureRequest, servers: dict[str, Valkey], tmp_path: Path) -> AsyncIterator[World]:
    server = servers.get(request.param)
    if server is not None:
        async with Redis.from_url(server.url) as redis:
            await redis.flushall()
    async with AsyncExitStack() as stack:
        yield World(tmp_path / "storage", server, stack, Clock())


@pytest.fixture
def fleet(world: World) -> World:
    """A world of several gateways: they share an index."""
    if world.server is None:
        pytest.skip("an index in memory is of one gateway")
    return world


async def names(ledger: StoredLedger, principal=ADMIN, **conditions: Any) -> list[str]:
    response = await ledger.list(principal, pb.ListRecordsRequest(**conditions))
    return [row.record_id for row in response.records]


async def reason_of(ledger: StoredLedger, record_id: str, principal=ADMIN) -> str:
    with pytest.raises(ScicError) as raised:
        await ledger.get(principal, record_id)
    return raised.value.reason


async def write(ledger: StoredLedger, *records: pb.Record, principal=ADMIN) -> None:
    for one in records:
        ledger.record(principal, one)
    await flushed(ledger)


async def test_what_was_recorded_is_read_by_its_name_and_by_that_of_its_request(world: World) -> None:
    ledger = await world.open()
    one, other = record(1, "a.md", request_id="same"), record(2, "b.md", request_id="same")
    await write(ledger, one, other)
    assert await ledger.get(ADMIN, one.record_id) == one
    assert await ledger.get(ADMIN, "same") == other
    assert await reason_of(ledger, "unknown") == "RECORD_NOT_FOUND"


async def test_a_reply_that_others_got_too_is_recorded_as_each_of_them_got_it(world: World) -> None:
    ledger = await world.open()
    stored, expected = record(9, "a.md").response, list[pb.Record]()
    common = StoredReply.of(stored.SerializeToString())
    for number in (1, 2):
        one = record(number)
        one.response.Clear()
        one.response.MergeFrom(BuildContextResponse(request_id=f"mine-{number}", record_id=one.record_id))
        one.response.cache = CACHE_STATUS_HIT
        ledger.record(ADMIN, one, common.packed)
        whole = BuildContextResponse()
        whole.CopyFrom(stored)
        whole.MergeFrom(one.response)
        one.response.CopyFrom(whole)
        expected.append(one)
    await write(ledger, record(3, "b.md"))
    assert [await ledger.get(ADMIN, one.record_id) for one in expected] == expected
    rows = (await ledger.list(ADMIN, pb.ListRecordsRequest())).records
    assert [(row.cache, row.evidence_count) for row in rows] == [
        (CACHE_STATUS_MISS, 1),
        (CACHE_STATUS_HIT, 1),
        (CACHE_STATUS_HIT, 1),
    ]
    assert await ledger.erase_documents("acme", ["a.md"]) == 2
    assert [await reason_of(ledger, one.record_id) for one in expected] == ["RECORD_ERASED"] * 2


async def test_records_are_listed_newest_first_page_by_page(world: World) -> None:
    ledger = await world.open()
    records = [record(number, at=NOON + number) for number in range(7)]
    await write(ledger, *records)
    listed, token = list[str](), ""
    while True:
        page = await ledger.list(ADMIN, pb.ListRecordsRequest(page_size=3, page_token=token))
        assert len(page.records) <= 3
        listed += [row.record_id for row in page.records]
        token = page.next_page_token
        if not token:
            break
    assert listed == [one.record_id for one in reversed(records)]


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        pytest.param({}, [5, 4, 3, 2, 1], id="all"),
        pytest.param({"profile": "support"}, [4, 3], id="profile"),
        pytest.param({"profile": "support@0011223344556677"}, [4], id="version"),
        pytest.param({"only_troubled": True}, [5, 2], id="troubled"),
        pytest.param({"profile": "nobody"}, [], id="none"),
        pytest.param({"page_size": 2}, [5, 4], id="size"),
    ],
)
async def test_conditions_of_a_listing(world: World, conditions: dict[str, Any], expected: list[int]) -> None:
    ledger = await world.open()
    records = [
        record(1),
        record(2, degraded=True),
        record(3, profile="support", version="ffffffffffffffff"),
        record(4, profile="support", version="0011223344556677"),
        record(5, failed=True),
    ]
    await write(ledger, *records)
    assert await names(ledger, **conditions) == [records[number - 1].record_id for number in expected]


async def test_a_page_token_is_of_its_listing(world: World) -> None:
    ledger = await world.open()
    await write(ledger, record(1), record(2))
    token = (await ledger.list(ADMIN, pb.ListRecordsRequest(page_size=1))).next_page_token
    for request in (
        pb.ListRecordsRequest(page_token=token, profile="default"),
        pb.ListRecordsRequest(page_token="nonsense"),
        pb.ListRecordsRequest(page_token="\u00fc"),
    ):
        with pytest.raises(ScicError, match="page token"):
            await ledger.list(ADMIN, request)


async def test_a_summary_says_what_the_record_says(world: World) -> None:
    ledger = await world.open()
    one = record(1, "a.md", "b.md", dropped=["c.md"], degraded=True, version="0011223344556677")
    failed = record(2, failed=True)
    await write(ledger, one, failed)
    second, first = (await ledger.list(ADMIN, pb.ListRecordsRequest())).records
    assert first == pb.RecordSummary(
        record_id=one.record_id,
        request_id="request-1",
        create_time=one.create_time,
        key_id="admin",
        question="How do I rotate the keys?",
        profile="default",
        profile_version="0011223344556677",
        model="gpt-4o",
        cache=one.response.cache,
        token_count=100,
        max_tokens=1000,
        evidence_count=2,
        dropped_count=1,
        degraded=True,
        duration=one.duration,
    )
    assert (second.error_reason, second.max_tokens) == ("BUDGET_TOO_SMALL", 1000)


@pytest.mark.parametrize(
    ("reader", "sees"),
    [
        pytest.param(SALES, True, id="itself"),
        pytest.param(SALES_TOO, True, id="more groups"),
        pytest.param(ADMIN, True, id="who sees all"),
        pytest.param(SUPPORT, False, id="other groups"),
        pytest.param(NOBODY, False, id="no groups"),
        pytest.param(STRANGER, False, id="another tenant"),
    ],
)
async def test_the_wall(world: World, reader, sees: bool) -> None:
    ledger = await world.open()
    one = record(1, "a.md")
    await write(ledger, one, principal=SALES)
    assert await names(ledger, reader) == ([one.record_id] if sees else [])
    if sees:
        assert await ledger.get(reader, one.record_id) == one
    else:
        assert await reason_of(ledger, one.record_id, reader) == "RECORD_NOT_FOUND"
        assert await reason_of(ledger, "request-1", reader) == "RECORD_NOT_FOUND"


async def test_a_request_of_the_same_name_behind_the_wall_hides_nothing(world: World) -> None:
    ledger = await world.open()
    mine, theirs = record(1, request_id="same"), record(2, request_id="same")
    await write(ledger, mine, principal=SALES)
    await write(ledger, theirs, principal=SUPPORT)
    assert await ledger.get(SALES, "same") == mine
    assert await ledger.get(ADMIN, "same") == theirs


async def test_erasing_documents_erases_all_records_that_name_them_and_no_others(world: World) -> None:
    ledger = await world.open()
    evidence, dropped = record(1, "a.md", "b.md"), record(2, "b.md", dropped=["a.md"])
    kept, failed = record(3, "b.md"), record(4, failed=True)
    other = record(5, "a.md")
    await write(ledger, evidence, dropped)
    await write(ledger, kept, failed)
    await write(ledger, other, principal=STRANGER)
    assert await ledger.erase_documents("acme", ["a.md", "z.md"]) == 2
    assert await names(ledger) == [failed.record_id, kept.record_id]
    for erased in (evidence, dropped):
        assert await reason_of(ledger, erased.record_id) == "RECORD_ERASED"
        assert await reason_of(ledger, erased.record_id, NOBODY) == "RECORD_NOT_FOUND"
        assert await reason_of(ledger, erased.request.request_id) == "RECORD_NOT_FOUND"
    assert await ledger.get(ADMIN, kept.record_id) == kept
    assert await ledger.get(STRANGER, other.record_id) == other
    assert await ledger.erase_documents("acme", ["a.md"]) == 0
    assert all(entry.record_id != evidence.record_id or entry.erased for entry in headers(world))


def hours(world: World) -> set[str]:
    """Hours that have segments."""
    return {"/".join(path.parts[-3:-1]) for path in world.segments()}


def headers(world: World) -> list[Any]:
    return [entry for path in world.segments() for entry in unpack(path.read_bytes(), path.name)]


async def test_what_still_waits_is_erased_too(world: World) -> None:
    ledger = await world.open()
    assert await names(ledger) == []  # the index is complete: no rebuilding looks at what comes now
    early, late = record(1, "a.md"), record(2, "a.md")
    ledger.record(ADMIN, early)
    assert await ledger.erase_documents("acme", ["a.md"]) == 1
    # A request that had begun before the erasure and ends after it.
    ledger.record(ADMIN, late)
    await flushed(ledger)
    assert await names(ledger) == []
    for one in (early, late):
        assert await reason_of(ledger, one.record_id) == "RECORD_ERASED"


async def test_what_was_read_before_an_erasure_and_is_entered_after_it_stays_erased(world: World) -> None:
    """As an index that is being rebuilt may do."""
    ledger = await world.open()
    one = record(1, "a.md")
    await write(ledger, one)
    assert await names(ledger) == [one.record_id]  # the index is complete: no rebuilding mends it
    index = ledger._reader._index
    (entry,) = await index.find("acme", one.record_id)
    await ledger.erase_documents("acme", ["a.md"])
    marks = await index.begin("acme", entry.segment)
    assert await index.commit("acme", entry.segment, [entry], marks.generation)
    assert await names(ledger) == []
    assert await reason_of(ledger, one.record_id) == "RECORD_ERASED"


async def test_a_document_that_comes_back_is_recorded_again(world: World) -> None:
    ledger = await world.open()
    await ledger.erase_documents("acme", ["a.md"])
    world.clock.now += 60
    again = record(1, "a.md", at=world.clock.now)
    await write(ledger, again)
    assert await ledger.get(ADMIN, again.record_id) == again


async def test_what_another_gateway_holds_is_erased_when_it_is_written(fleet: World) -> None:
    here, there = await fleet.open(), await fleet.open()
    assert await names(here) == []
    theirs, kept = record(1, "a.md"), record(2, "b.md")
    there.record(ADMIN, theirs)
    there.record(ADMIN, kept)
    await here.erase_documents("acme", ["a.md"])
    await flushed(there)
    assert await names(here) == [kept.record_id]
    assert await reason_of(here, theirs.record_id) == "RECORD_ERASED"
    assert all(entry.erased or entry.record_id == kept.record_id for entry in headers(fleet))


async def test_erasing_a_tenant_leaves_nothing_of_it(world: World) -> None:
    ledger = await world.open()
    ours, theirs = [record(number, "a.md") for number in range(3)], record(9, "a.md")
    await write(ledger, *ours)
    await write(ledger, theirs, principal=STRANGER)
    assert await ledger.erase_tenant("acme") == 3
    assert await names(ledger) == []
    assert world.segments() == []
    assert await reason_of(ledger, ours[0].record_id) == "RECORD_ERASED"
    assert await ledger.get(STRANGER, theirs.record_id) == theirs
    world.clock.now += 60
    later = record(10, at=world.clock.now)
    await write(ledger, later)
    assert await names(ledger) == [later.record_id]


async def test_erasing_a_tenant_empties_the_index_of_segments_that_are_gone(world: World) -> None:
    ledger = await world.open()
    one = record(1, "a.md")
    await write(ledger, one)
    assert await names(ledger) == [one.record_id]
    for path in world.segments():
        path.unlink()
    assert await ledger.erase_tenant("acme") == 0
    assert await names(ledger) == []


async def test_two_gateways_that_erase_at_once_do_not_undo_each_other(fleet: World) -> None:
    here, there = await fleet.open(), await fleet.open()
    await write(here, *(record(number, f"{number % 4}.md") for number in range(40)))
    counts = await asyncio.gather(here.erase_documents("acme", ["0.md"]), there.erase_documents("acme", ["1.md"]))
    assert tuple(counts) == (10, 10)
    assert sum(entry.erased for entry in headers(fleet)) == 20
    assert len(await names(here)) == 20


async def test_only_the_newest_are_kept(world: World) -> None:
    ledger = await world.open(max_records=100)
    records = [record(number, at=NOON + number) for number in range(130)]
    await write(ledger, *records)
    assert await names(ledger, page_size=1000) == [one.record_id for one in reversed(records[30:])]
    assert await reason_of(ledger, records[29].record_id) == "RECORD_NOT_FOUND"
    assert await reason_of(ledger, "request-29") == "RECORD_NOT_FOUND"


async def test_what_is_too_old_is_not_found_and_goes(world: World) -> None:
    old, new = record(1, at=NOON), record(2, at=NOON + 8 * DAY)
    async with world.opened() as ledger:
        await write(ledger, old)
        world.clock.now += 8 * DAY
        assert await names(ledger) == []
        assert await reason_of(ledger, old.record_id) == "RECORD_NOT_FOUND"
        await write(ledger, new)
        assert await names(ledger) == [new.record_id]
    await world.open()
    await eventually("the old hour is gone", lambda: hours(world) == {"2026-12-04/12"})


async def test_hours_that_no_index_reaches_any_more_go(fleet: World) -> None:
    async with fleet.opened(max_records=100) as ledger:
        await write(ledger, record(0))
        fleet.clock.now += 2 * HOUR
        await write(ledger, *(record(number, at=fleet.clock.now) for number in range(100)))
    ledger = await fleet.open(max_records=100)
    await eventually("the first hour is gone", lambda: hours(fleet) == {"2026-11-26/14"})
    assert len(await names(ledger, page_size=1000)) == 100


async def test_an_index_that_was_lost_is_rebuilt_from_the_segments(world: World) -> None:
    async with world.opened() as ledger:
        kept, erased = [record(number, "a.md") for number in range(5)], record(9, "b.md")
        await write(ledger, *kept, erased)
        assert len(await names(ledger)) == 6
        await ledger.erase_documents("acme", ["b.md"])
    if world.server is not None:
        async with Redis.from_url(world.server.url) as redis:
            await redis.flushall()
    ledger = await world.open()
    assert await names(ledger) == [one.record_id for one in reversed(kept)]
    assert await ledger.get(ADMIN, "request-3") == kept[3]
    assert await reason_of(ledger, erased.record_id) == "RECORD_ERASED"


@pytest.mark.parametrize("part", ["ids", "entries"])
async def test_an_index_of_which_a_part_was_evicted_is_rebuilt(fleet: World, part: str) -> None:
    ledger = await fleet.open()
    one = record(1)
    await write(ledger, one)
    assert await names(ledger) == [one.record_id]
    assert fleet.server is not None
    async with Redis.from_url(fleet.server.url) as redis:
        assert await redis.delete(f"ledger:{{acme}}:{part}") == 1
    assert await names(ledger) == [one.record_id]
    assert await ledger.get(ADMIN, one.record_id) == one


async def test_everything_in_redis_expires_with_the_records(fleet: World) -> None:
    ledger = await fleet.open(days=2)
    await write(ledger, record(1, "a.md"), record(2, "b.md"))
    await names(ledger)
    await ledger.erase_documents("acme", ["a.md"])
    assert fleet.server is not None
    async with Redis.from_url(fleet.server.url) as redis:
        lives = {key: await redis.pttl(key) async for key in redis.scan_iter()}
    assert lives
    assert all(key.startswith(b"ledger:{acme}:") for key in lives)
    assert all(0 < life <= 2 * DAY * 1000 for life in lives.values()), lives


async def test_without_redis_records_are_stored_and_found_when_it_is_back(fleet: World) -> None:
    assert fleet.server is not None
    ledger = await fleet.open()
    one, other = record(1), record(2)
    await write(ledger, one)
    assert await names(ledger) == [one.record_id]
    fleet.server.kill()
    try:
        await write(ledger, other)
        assert len(headers(fleet)) == 2
        with pytest.raises(ScicError) as raised:
            await ledger.get(ADMIN, one.record_id)
        assert raised.value.reason == "STORAGE_UNAVAILABLE"
        with pytest.raises(ScicError):
            await ledger.erase_documents("acme", ["a.md"])
    finally:
        fleet.server.start()

    async def caught_up() -> bool:
        try:
            await ledger._writer._adoption.catch_up()
            return await names(ledger) == [other.record_id, one.record_id]
        except ScicError:
            return False

    await eventually("both are found", caught_up)


async def test_what_waits_is_written_when_the_gateway_ends(world: World) -> None:
    one = record(1)
    async with world.opened() as ledger:
        ledger.record(ADMIN, one)
    assert await (await world.open()).get(ADMIN, one.record_id) == one


async def test_a_killed_gateway_leaves_all_that_it_flushed(world: World) -> None:
    if world.server is not None and world.server.cluster:
        pytest.skip("the process talks to one server")
    url = world.server.url if world.server else ""
    process = await create_subprocess_exec(
        sys.executable, "-m", "tests.contract.ledger_process", world.folder.as_uri(), url, stdout=PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(LONG):
        written = [(await process.stdout.readline()).decode().strip() for _ in range(20)]
        process.send_signal(signal.SIGKILL)
        written += (await process.stdout.read()).decode().split("\n")[:-1]
        await process.wait()
    # Half a minute later, whatever it had only begun counts as left behind.
    world.clock.now = time.time() + 60
    ledger = await world.open()
    listed = set(await names(ledger, page_size=1000))
    assert set(written) <= listed
    for record_id in written:
        assert (await ledger.get(ADMIN, record_id)).record_id == record_id
    assert listed == {entry.record_id for entry in headers(world)}


async def test_a_segment_that_its_writer_could_not_enter_is_entered_by_a_reader(fleet: World) -> None:
    """As one that died between the two leaves it."""
    other = World(fleet.folder, None, fleet.stack, fleet.clock)
    one, erased = record(1, "a.md"), record(2, "b.md")
    async with other.opened() as unindexed:
        await write(unindexed, one, erased)
    ledger = await fleet.open()
    assert await names(ledger) == [erased.record_id, one.record_id]  # it was rebuilt
    left_behind = record(3, "b.md"), record(4, "c.md")
    async with other.opened() as unindexed:
        await write(unindexed, *left_behind)
    segment = next(path for path in fleet.segments() if left_behind[0].record_id.encode() in path.read_bytes())
    assert fleet.server is not None
    async with Redis.from_url(fleet.server.url) as redis:
        name = "/".join(segment.parts[-3:])
        await redis.zadd("ledger:{acme}:pending", {name: (fleet.clock.now - 60) * 1000})
    assert await names(ledger) == [left_behind[1].record_id, left_behind[0].record_id, erased.record_id, one.record_id]


async def test_a_segment_that_was_begun_and_never_written_is_forgotten(fleet: World) -> None:
    ledger = await fleet.open()
    assert fleet.server is not None
    async with Redis.from_url(fleet.server.url) as redis:
        await redis.zadd("ledger:{acme}:pending", {"2026-11-26/12/never": (fleet.clock.now - 60) * 1000})
        assert await names(ledger) == []
        assert await redis.zcard("ledger:{acme}:pending") == 0


async def test_what_a_killed_writer_left_half_written_goes(world: World) -> None:
    """Such a file is in no listing, so no erasure finds it."""
    async with world.opened() as ledger:
        await write(ledger, record(1))
    (segment,) = world.segments()
    old, fresh = segment.with_name("old#1"), segment.with_name("fresh#1")
    for path in (old, fresh):
        path.write_bytes(segment.read_bytes())
    os.utime(old, (1.0, 1.0))
    ledger = await world.open()
    await eventually("it is gone", lambda: not old.exists())
    assert fresh.exists()
    assert await names(ledger) == [record(1).record_id]


async def test_a_segment_that_is_gone_is_no_record(world: World) -> None:
    ledger = await world.open()
    one = record(1)
    await write(ledger, one)
    assert await names(ledger) == [one.record_id]
    for path in world.segments():
        path.unlink()
    assert await reason_of(ledger, one.record_id) == "RECORD_NOT_FOUND"


async def test_a_segment_that_is_broken_takes_no_other_along(world: World) -> None:
    async with world.opened() as ledger:
        one, other = record(1), record(2)
        await write(ledger, one)
        await write(ledger, other)
    broken = next(path for path in world.segments() if one.record_id.encode() in path.read_bytes())
    broken.write_bytes(b"no segment")
    if world.server is not None:
        async with Redis.from_url(world.server.url) as redis:
            await redis.flushall()
    ledger = await world.open()
    assert await names(ledger) == [other.record_id]
    assert await ledger.get(ADMIN, other.record_id) == other
    # Nobody can say whom it is about, so an erasure takes it away.
    assert await ledger.erase_documents("acme", ["a.md"]) == 0
    assert not broken.exists()
