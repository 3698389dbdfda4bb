"""The servicer reads for the caller of the request, compares, and runs again."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from obstore.store import MemoryStore

from scic import errors
from scic.errors import ScicError
from scic.gateway.v1 import context_service_pb2 as context
from scic.gateway.v1 import ledger_service_pb2 as pb
from services.gateway.callers import authentication
from services.gateway.callers.principal import Principal
from services.gateway.ledger.no_ledger import NoLedger
from services.gateway.ledger.servicer import LedgerServicer
from services.gateway.ledger.stored_ledger import StoredLedger
from services.gateway.ledger.wiring import open_ledger
from tests.fake_contexts import DEADLINES
from tests.unit.gateway.ledger.records import ADMIN, NOBODY, Clock, record


class FakeCall:
    """As much of a call as a deadline needs."""

    def time_remaining(self) -> float:
        return 3.0


@dataclass
class FakeReplay:
    """Answers with what it is told, and remembers what it was asked."""

    response: context.BuildContextResponse = field(default_factory=context.BuildContextResponse)
    gone: bool = False
    asked: list[tuple[str, pb.Record, str, bool]] = field(default_factory=list)

    async def replay(self, principal, record, profile, *, present_corpus, deadline):
        assert 0 < deadline.remaining() <= 3.0
        self.asked.append((principal.key_id, record, profile, present_corpus))
        if self.gone and not present_corpus:
            raise errors.CORPUS_VERSION_GONE.error("gone")
        return self.response


def call_as(principal: Principal) -> Any:
    authentication._principal.set(principal)
    return FakeCall()


@pytest.fixture
async def ledger() -> AsyncIterator[StoredLedger]:
    async with open_ledger(MemoryStore(), None, days=7, max_records=1000, clock=Clock()) as opened:
        yield opened


async def test_records_are_read_listed_and_compared_for_the_caller(ledger: StoredLedger) -> None:
    servicer = LedgerServicer(ledger, FakeReplay(), DEADLINES)
    one, other = record(1, "a.md"), record(2, "b.md")
    ledger.record(ADMIN, one)
    ledger.record(ADMIN, other)
    await ledger.flush()
    call = call_as(ADMIN)
    got = await servicer.GetRecord(pb.GetRecordRequest(record_id=one.record_id), call)
    assert got.record == one
    page = await servicer.ListRecords(pb.ListRecordsRequest(page_size=1), call)
    assert [row.record_id for row in page.records] == [other.record_id]
    request = pb.DiffRecordsRequest(from_record_id=one.record_id, to_record_id="request-2")
    found = (await servicer.DiffRecords(request, call)).diff
    assert {change.passage_id for change in found.passages} == {"a.md#0", "b.md#0"}
    call = call_as(NOBODY)
    assert not (await servicer.ListRecords(pb.ListRecordsRequest(), call)).records
    for refused in (
        servicer.GetRecord(pb.GetRecordRequest(record_id=one.record_id), call),
        servicer.DiffRecords(request, call),
        servicer.ReplayRecord(pb.ReplayRecordRequest(record_id=one.record_id), call),
    ):
        with pytest.raises(ScicError) as raised:
            await refused
        assert raised.value.reason == "RECORD_NOT_FOUND"


async def test_a_replay_says_what_would_change(ledger: StoredLedger) -> None:
    one = record(1, "a.md")
    again = record(1, "a.md", dropped=["b.md"], version="0011223344556677").response
    replay = FakeReplay(again)
    ledger.record(ADMIN, one)
    await ledger.flush()
    request = pb.ReplayRecordRequest(record_id=one.record_id, profile="default@0011223344556677")
    answer = await LedgerServicer(ledger, replay, DEADLINES).ReplayRecord(request, call_as(ADMIN))
    assert replay.asked == [("admin", one, "default@0011223344556677", False)]
    assert answer.response == again
    assert [change.passage_id for change in answer.diff.passages] == ["b.md#0"]
    assert {change.field for change in answer.diff.fields} == {"request.profile", "response.profile_version"}


async def test_a_replay_of_the_same_recipe_changes_nothing(ledger: StoredLedger) -> None:
    one = record(1, "a.md")
    ledger.record(ADMIN, one)
    await ledger.flush()
    replay = FakeReplay(one.response, gone=True)
    servicer = LedgerServicer(ledger, replay, DEADLINES)
    with pytest.raises(ScicError) as raised:
        await servicer.ReplayRecord(pb.ReplayRecordRequest(record_id="request-1"), call_as(ADMIN))
    assert raised.value.reason == "CORPUS_VERSION_GONE"
    request = pb.ReplayRecordRequest(record_id="request-1", present_corpus=True)
    assert (await servicer.ReplayRecord(request, call_as(ADMIN))).diff == pb.ContextDiff()


async def test_without_a_storage_nothing_is_kept_and_reading_says_so() -> None:
    ledger = NoLedger()
    ledger.record(ADMIN, record(1, "a.md"))
    assert not ledger.keeps
    assert await ledger.erase_documents("acme", ["a.md"]) == 0
    assert await ledger.erase_tenant("acme") == 0
    assert not await ledger.begin_erasure("acme", "one")
    await ledger.end_erasure("acme", "one")
    for answer in (ledger.get(ADMIN, "x"), ledger.list(ADMIN, pb.ListRecordsRequest())):
        with pytest.raises(ScicError) as raised:
            await answer
        assert raised.value.reason == "STORAGE_NOT_CONFIGURED"


async def test_a_record_is_taken_as_it_is_now(ledger: StoredLedger) -> None:
    """The caller may go on changing it."""
    one = record(1, "a.md")
    ledger.record(ADMIN, one)
    one.request.question = "Something else"
    await ledger.flush()
    assert (await ledger.get(ADMIN, one.record_id)).request.question == "How do I rotate the keys?"
