"""LedgerService: wire to domain and back."""

import asyncio
from typing import Protocol

from scic.gateway.v1 import context_service_pb2 as context_pb
from scic.gateway.v1 import ledger_service_pb2 as pb
from scic.gateway.v1 import ledger_service_pb2_grpc as rpc
from services.chassis.deadline import Deadline, DeadlinePolicy
from services.chassis.interceptors import Context
from services.chassis.work import on_thread
from services.gateway.callers.authentication import current_principal
from services.gateway.callers.principal import Principal
from services.gateway.ledger.diff import diff
from services.gateway.ledger.ports import Ledger


class Replay(Protocol):
    """Runs recorded requests again."""

    async def replay(
        self, principal: Principal, record: pb.Record, profile: str, *, present_corpus: bool, deadline: Deadline
    ) -> context_pb.BuildContextResponse:
        """The context that would be built now; stores nothing. Empty `profile`: the recorded version.

        Raises CORPUS_VERSION_GONE where the corpus has changed and `present_corpus` is not set, and what BuildContext
        raises.
        """
        ...


class LedgerServicer(rpc.LedgerServiceServicer):
    """Answers for the tenant's records."""

    def __init__(self, ledger: Ledger, replay: Replay, deadlines: DeadlinePolicy) -> None:
        self._ledger = ledger
        self._replay = replay
        self._deadlines = deadlines

    async def GetRecord(  # noqa: N802 - the name of the RPC
        self, request: pb.GetRecordRequest, context: Context
    ) -> pb.GetRecordResponse:
        """Returns a record."""
        return pb.GetRecordResponse(record=await self._ledger.get(current_principal(), request.record_id))

    async def ListRecords(  # noqa: N802 - the name of the RPC
        self, request: pb.ListRecordsRequest, context: Context
    ) -> pb.ListRecordsResponse:
        """Lists records."""
        return await self._ledger.list(current_principal(), request)

    async def DiffRecords(  # noqa: N802 - the name of the RPC
        self, request: pb.DiffRecordsRequest, context: Context
    ) -> pb.DiffRecordsResponse:
        """Compares two records."""
        before, after = await asyncio.gather(
            self._ledger.get(current_principal(), request.from_record_id),
            self._ledger.get(current_principal(), request.to_record_id),
        )
        return pb.DiffRecordsResponse(diff=await on_thread(None, diff, before, after))

    async def ReplayRecord(  # noqa: N802 - the name of the RPC
        self, request: pb.ReplayRecordRequest, context: Context
    ) -> pb.ReplayRecordResponse:
        """Runs a recorded request again, and compares."""
        principal = current_principal()
        record = await self._ledger.get(principal, request.record_id)
        response = await self._replay.replay(
            principal,
            record,
            request.profile,
            present_corpus=request.present_corpus,
            deadline=self._deadlines.of(context),
        )
        again = pb.Record(request=record.request, response=response)
        if request.profile:
            again.request.profile = request.profile
        return pb.ReplayRecordResponse(diff=await on_thread(None, diff, record, again), response=response)
