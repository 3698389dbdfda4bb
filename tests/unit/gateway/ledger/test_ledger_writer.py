"""Writing against erasing, and the upkeep that nothing may end."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from random import Random

import pytest
from obstore.store import MemoryStore

from scic.gateway.v1 import ledger_service_pb2 as pb
from services.gateway.ledger import maintenance
from services.gateway.ledger.adoption import Adoption
from services.gateway.ledger.blanking import Blanking
from services.gateway.ledger.entry import document_digest
from services.gateway.ledger.memory_index import MemoryIndex
from services.gateway.ledger.object_archive import ObjectArchive
from services.gateway.ledger.queue import QueuedRecord, RecordQueue
from services.gateway.ledger.viewer import Viewer
from services.gateway.ledger.wiring import open_ledger
from services.gateway.ledger.writer import LedgerWriter
from tests.unit.gateway.ledger.records import ADMIN, NOBODY, Clock, flushed, record


class Overtaken(MemoryIndex):
    """An index into which, at each look of the writer, another gateway has just marked one more document as erased."""

    def __init__(self, clock: Clock, *documents: str) -> None:
        super().__init__(days=7, max_records=100, clock=clock)
        self._documents, self._clock_of_test = list(documents), clock

    async def begin(self, tenant, segment):
        if self._documents:
            await self.mark(tenant, [document_digest(self._documents.pop(0))], int(self._clock_of_test() * 1000) + 1)
        return await super().begin(tenant, segment)


async def test_what_others_erase_while_the_erased_is_taken_out_is_taken_out_too():
    clock = Clock()
    archive, index = ObjectArchive(MemoryStore()), Overtaken(clock, "a.md", "b.md")
    with ThreadPoolExecutor(1) as executor:
        adoption = Adoption(archive, index, Blanking(archive, index, executor))
        writer = LedgerWriter(archive, index, adoption, executor, clock=clock, random=Random(1), queue=RecordQueue())
        task = asyncio.create_task(writer.run())
        for number, document in enumerate(("a.md", "b.md", "c.md")):
            made = record(number, document, question=document)
            writer.offer(QueuedRecord("acme", Viewer.of(ADMIN), made.SerializeToString()))
        await writer.flush()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    kept = [entry.row().question for entry in await index.page("acme", "", 10) if not entry.erased]
    assert kept == ["c.md"]


async def test_a_page_of_one_costs_a_key_that_sees_nothing_no_thousand_looks(monkeypatch):
    looks = 0
    page = MemoryIndex.page

    async def counted(self, tenant, before, count):
        nonlocal looks
        looks += 1
        return await page(self, tenant, before, count)

    monkeypatch.setattr(MemoryIndex, "page", counted)
    clock = Clock()
    async with open_ledger(MemoryStore(), None, days=7, max_records=1000, clock=clock) as ledger:
        for number in range(300):
            ledger.record(ADMIN, record(number, "a.md"))
        await flushed(ledger)
        assert not (await ledger.list(NOBODY, pb.ListRecordsRequest(page_size=1))).records
    assert looks <= 3


@pytest.mark.parametrize("error", [PermissionError("a folder"), IndexError("an evicted key")], ids=repr)
async def test_the_upkeep_goes_on_after_whatever_happened(monkeypatch, error):
    rounds = asyncio.Queue[None]()

    class Breaking(ObjectArchive):
        async def tidy(self):
            rounds.put_nowait(None)
            raise error

    monkeypatch.setattr("services.gateway.ledger.wiring.ObjectArchive", Breaking)
    monkeypatch.setattr(maintenance, "_PAUSE", 0)
    monkeypatch.setattr(maintenance, "_ROUNDS_OF_AN_HOUR", 1)
    async with open_ledger(MemoryStore(), None, days=7, max_records=1000, clock=Clock()), asyncio.timeout(30):
        for _ in range(3):
            await rounds.get()


async def test_an_erasure_goes_on_when_its_caller_has_left_and_the_next_call_waits_for_it(monkeypatch):
    sweeps, begun, may_go_on = 0, asyncio.Event(), asyncio.Event()
    hours = ObjectArchive.hours

    async def slow(self, tenant):
        nonlocal sweeps
        sweeps += 1
        begun.set()
        await may_go_on.wait()
        return await hours(self, tenant)

    async with open_ledger(MemoryStore(), None, days=7, max_records=1000, clock=Clock()) as ledger, asyncio.timeout(30):
        ledger.record(ADMIN, record(1, "a.md"))
        await flushed(ledger)
        monkeypatch.setattr(ObjectArchive, "hours", slow)
        first = asyncio.create_task(ledger.erase_documents("acme", ["a.md"]))
        await begun.wait()
        first.cancel()
        with suppress(asyncio.CancelledError):
            await first
        second = asyncio.create_task(ledger.erase_documents("acme", ["a.md"]))
        await asyncio.sleep(0)
        may_go_on.set()
        assert await second == 1
        assert sweeps == 1
        assert not (await ledger.list(ADMIN, pb.ListRecordsRequest())).records
