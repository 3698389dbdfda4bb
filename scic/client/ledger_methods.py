"""What a client does with the ledger."""

from collections.abc import AsyncIterator

from scic.client.calls import answer
from scic.gateway.v1 import ledger_service_pb2 as pb
from scic.gateway.v1 import ledger_service_pb2_grpc as rpc


class LedgerMethods:
    """The methods of LedgerService, for the records that the key may see; a part of `Client`."""

    _ledger: "rpc.LedgerServiceAsyncStub"  # a type of the stubs alone
    _metadata: tuple[tuple[str, str], ...]

    async def get_record(self, record_id: str, *, timeout: float | None = None) -> pb.Record:
        """All about one request; `record_id` may be the name of the request, too: then its newest record is meant."""
        request = pb.GetRecordRequest(record_id=record_id)
        response = await answer(self._ledger.GetRecord(request, metadata=self._metadata, timeout=timeout))
        return response.record

    async def list_records(
        self, *, profile: str = "", only_troubled: bool = False, page_size: int = 0, timeout: float | None = None
    ) -> AsyncIterator[pb.RecordSummary]:
        """Records in a line each, newest first, page by page as they are wanted; `timeout` is for each page.

        Args:
            profile: only those of this profile, `NAME` or `NAME@VERSION`.
            only_troubled: only those of requests that failed or were answered less well than asked.
            page_size: records a page, at most 1,000; by default 50.
            timeout: seconds.
        """
        request = pb.ListRecordsRequest(profile=profile, only_troubled=only_troubled, page_size=page_size)
        while True:
            page = await answer(self._ledger.ListRecords(request, metadata=self._metadata, timeout=timeout))
            for record in page.records:
                yield record
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def diff_records(
        self, from_record_id: str, to_record_id: str, *, timeout: float | None = None
    ) -> pb.ContextDiff:
        """In what two records differ; they are named as in `get_record`."""
        request = pb.DiffRecordsRequest(from_record_id=from_record_id, to_record_id=to_record_id)
        response = await answer(self._ledger.DiffRecords(request, metadata=self._metadata, timeout=timeout))
        return response.diff

    async def replay_record(
        self, record_id: str, *, profile: str = "", present_corpus: bool = False, timeout: float | None = None
    ) -> pb.ReplayRecordResponse:
        """Runs a recorded request again and says what would change; stores nothing and spends nothing.

        Args:
            record_id: the record, named as in `get_record`.
            profile: the recipe to follow; by default the recorded version.
            present_corpus: search the corpus as it is now; without it a corpus that has changed is
                CORPUS_VERSION_GONE.
            timeout: seconds.
        """
        request = pb.ReplayRecordRequest(record_id=record_id, profile=profile, present_corpus=present_corpus)
        return await answer(self._ledger.ReplayRecord(request, metadata=self._metadata, timeout=timeout))
