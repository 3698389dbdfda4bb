"""A ledger in memory, behind the port."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scic import errors
from scic.gateway.v1 import ledger_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.gateway.callers.principal import Principal

PAGE_SIZE = 20


class FakeLedger:
    """Records by tenant, oldest first. `fails` is raised by every call that reads, where it is set."""

    keeps = True

    def __init__(self, records: dict[str, list[pb.Record]]) -> None:
        self.records = records
        self.fails: Exception | None = None
        self.asked: list[pb.ListRecordsRequest] = []

    def record(self, principal: Principal, record: pb.Record, common: bytes = b"") -> None:
        self.records.setdefault(principal.tenant, []).append(record)

    async def get(self, principal: Principal, record_id: str) -> pb.Record:
        self._fail()
        for record in self.records.get(principal.tenant, []):
            if record_id in {record.record_id, record.request.request_id}:
                return record
        raise errors.RECORD_NOT_FOUND.error("the ledger has no such record")

    async def list(self, principal: Principal, request: pb.ListRecordsRequest) -> pb.ListRecordsResponse:
        self._fail()
        self.asked.append(request)
        found = [summary_of(record) for record in reversed(self.records.get(principal.tenant, []))]
        found = [
            summary
            for summary in found
            if request.profile in {"", summary.profile, f"{summary.profile}@{summary.profile_version}"}
            and (not request.only_troubled or summary.degraded or summary.error_reason)
        ]
        first = int(request.page_token or 0)
        last = first + PAGE_SIZE
        return pb.ListRecordsResponse(records=found[first:last], next_page_token=str(last) if last < len(found) else "")

    async def erase_documents(self, tenant: str, document_ids: Sequence[str]) -> int:
        raise AssertionError("the page only reads")

    async def erase_tenant(self, tenant: str) -> int:
        raise AssertionError("the page only reads")

    def _fail(self) -> None:
        if self.fails is not None:
            raise self.fails


def summary_of(record: pb.Record) -> pb.RecordSummary:
    """The line of a record in the list."""
    reply = record.response
    return pb.RecordSummary(
        record_id=record.record_id,
        request_id=record.request.request_id,
        create_time=record.create_time,
        key_id=record.key_id,
        question=record.request.question[:200],
        profile=record.request.profile.partition("@")[0],
        profile_version=reply.profile_version,
        model=record.request.model,
        cache=reply.cache,
        token_count=reply.tokens.total,
        max_tokens=record.request.max_tokens,
        evidence_count=len(reply.evidence),
        dropped_count=len(reply.dropped),
        degraded=bool(reply.degradations),
        error_reason=errors.from_status(record.error).reason if record.HasField("error") else "",
        duration=record.duration,
    )
