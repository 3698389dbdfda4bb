"""The ledger on a bucket that stops answering."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from redis.asyncio import Redis

from scic.errors import ScicError
from scic.gateway.v1 import ledger_service_pb2 as pb
from services.chassis import metrics
from services.gateway.ledger import wiring, writer
from services.gateway.ledger.object_archive import ObjectArchive
from services.gateway.ledger.queue import MAX_BYTES, MAX_RECORDS
from services.gateway.ledger.segment import unpack
from services.gateway.ledger.stored_ledger import StoredLedger
from services.gateway.ledger.wiring import open_ledger
from tests.contract.object_server import ObjectServer, object_server
from tests.unit.gateway.ledger.records import ADMIN, flushed, record
from tests.valkey import Valkey
from tests.waiting import eventually


@pytest.fixture
async def bucket() -> AsyncIterator[ObjectServer]:
    async with object_server() as server:
        yield server


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What production waits seconds for."""
    monkeypatch.setattr(wiring, "ObjectArchive", partial(ObjectArchive, timeout=0.3))
    monkeypatch.setattr(writer, "_LONGEST_PAUSE", 0.2)


def ledger_on(bucket: ObjectServer):
    return open_ledger(bucket.store(), None, days=3650, max_records=100_000)


def lost(reason: str) -> float:
    return metrics.REGISTRY.get_sample_value("context_ledger_lost_total", {"reason": reason}) or 0.0


async def listed(ledger: StoredLedger) -> list[str]:
    response = await ledger.list(ADMIN, pb.ListRecordsRequest(page_size=1000))
    return [row.record_id for row in response.records]


async def test_a_bucket_serves_as_a_folder_does(bucket: ObjectServer) -> None:
    kept, erased = record(1, "a.md"), record(2, "b.md")
    async with ledger_on(bucket) as ledger:
        ledger.record(ADMIN, kept)
        ledger.record(ADMIN, erased)
        assert await ledger.erase_documents("acme", ["b.md"]) == 1
    async with ledger_on(bucket) as ledger:
        assert await listed(ledger) == [kept.record_id]
        assert await ledger.get(ADMIN, kept.record_id) == kept
        assert await ledger.begin_erasure("acme", "one") is False
        assert await ledger.begin_erasure("acme", "one") is True


@pytest.mark.usefixtures("impatient")
async def test_while_the_storage_hangs_memory_is_bounded_and_losses_are_counted(bucket: ObjectServer) -> None:
    before, records = lost("queue_full"), [record(number, "a.md") for number in range(20_000)]
    async with ledger_on(bucket) as ledger:
        bucket.hang()
        for number, one in enumerate(records):
            ledger.record(ADMIN, one)
            if number % 500 == 0:
                await asyncio.sleep(0)
            assert len(ledger._writer._queue) <= MAX_RECORDS
            assert ledger._writer._queue.size_bytes <= MAX_BYTES
        await eventually("it was tried again", lambda: bucket.tries > 2)
        bucket.resume()
        await flushed(ledger)
        stored = set(await every(ledger))
        assert lost("queue_full") - before == len(records) - len(stored)
        assert len(stored) >= MAX_RECORDS
        later = record(20_001)
        ledger.record(ADMIN, later)
        await flushed(ledger)
        assert await ledger.get(ADMIN, later.record_id) == later


async def every(ledger: StoredLedger) -> list[str]:
    names, token = list[str](), ""
    while True:
        page = await ledger.list(ADMIN, pb.ListRecordsRequest(page_size=1000, page_token=token))
        names += [row.record_id for row in page.records]
        if not page.next_page_token:
            return names
        token = page.next_page_token


@pytest.mark.usefixtures("impatient")
async def test_large_records_are_bounded_by_their_bytes(bucket: ObjectServer) -> None:
    before = lost("queue_full")
    async with ledger_on(bucket) as ledger:
        bucket.hang()
        for number in range(50):
            ledger.record(ADMIN, record(number, text="x" * (1 << 20)))
            assert ledger._writer._queue.size_bytes <= MAX_BYTES
        assert lost("queue_full") > before
        bucket.resume()


@pytest.mark.usefixtures("impatient")
async def test_an_attempt_that_was_thought_lost_and_came_through_is_not_written_twice(bucket: ObjectServer) -> None:
    one = record(1, "a.md")
    async with ledger_on(bucket) as ledger:
        bucket.hang()
        ledger.record(ADMIN, one)
        await eventually("it was tried again", lambda: bucket.tries > 2)
        bucket.resume()
        await flushed(ledger)
        assert await listed(ledger) == [one.record_id]
    assert len(bucket.objects) == 1


@pytest.mark.usefixtures("impatient")
async def test_a_bucket_that_is_made_too_late_loses_nothing(bucket: ObjectServer) -> None:
    before, one = lost("failed"), record(1, "a.md")
    bucket.missing = True
    async with ledger_on(bucket) as ledger:
        ledger.record(ADMIN, one)
        await eventually("it was tried again", lambda: bucket.tries > 2)
        with pytest.raises(ScicError) as raised:
            await ledger.begin_erasure("acme", "one")
        assert raised.value.reason == "STORAGE_UNAVAILABLE"
        bucket.missing = False
        await flushed(ledger)
        assert await listed(ledger) == [one.record_id]
    assert lost("failed") == before


@pytest.mark.usefixtures("impatient")
async def test_an_erasure_does_not_pass_over_what_cannot_be_written(
    bucket: ObjectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.ledger.eraser._SETTLE_SECONDS", 0.5)
    one = record(1, "a.md")
    async with ledger_on(bucket) as ledger:
        bucket.hang()
        ledger.record(ADMIN, one)
        with pytest.raises(ScicError) as raised:
            await ledger.erase_documents("acme", ["a.md"])
        assert raised.value.reason == "STORAGE_UNAVAILABLE"
        with pytest.raises(ScicError) as raised:
            await ledger.begin_erasure("acme", "one")
        assert raised.value.reason == "STORAGE_UNAVAILABLE"
        bucket.resume()
        assert await ledger.erase_documents("acme", ["a.md"]) == 1
        assert await listed(ledger) == []


async def test_what_is_being_written_while_another_gateway_erases_is_never_seen(
    bucket: ObjectServer, tmp_path: Path
) -> None:
    """The other one finds nothing yet, so the writer has to notice."""
    server = Valkey(tmp_path)
    server.start()
    try:
        async with (
            Redis.from_url(server.url, socket_timeout=20.0) as redis,
            open_ledger(bucket.store(), redis, days=3650, max_records=1000) as here,
            open_ledger(bucket.store(), redis, days=3650, max_records=1000) as there,
        ):
            assert await listed(here) == []  # the index is complete: no rebuilding looks at what comes now
            erased, kept = record(1, "a.md", question="Who is ill?"), record(2, "b.md")
            bucket.hang("PUT")
            there.record(ADMIN, erased)
            there.record(ADMIN, kept)
            await eventually("it is being written", lambda: bucket.tries == 1)
            assert await here.erase_documents("acme", ["a.md"]) == 0
            bucket.resume()
            await flushed(there)
            assert await listed(here) == [kept.record_id]
            with pytest.raises(ScicError) as raised:
                await here.get(ADMIN, erased.record_id)
            assert raised.value.reason == "RECORD_ERASED"
            (segment,) = bucket.objects.values()
            assert [entry.erased for entry in unpack(segment, "")] == [True, False]
    finally:
        server.kill()


@pytest.mark.usefixtures("impatient")
async def test_the_end_does_not_wait_for_a_storage_that_hangs(
    bucket: ObjectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.ledger.wiring._LAST_FLUSH_SECONDS", 0.5)
    before = lost("shutdown")
    async with ledger_on(bucket) as ledger:
        bucket.hang()
        ledger.record(ADMIN, record(1))
        ledger.record(ADMIN, record(2))
    assert lost("shutdown") - before == 2
