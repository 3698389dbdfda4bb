"""A stream of documents in, a stream of results out, with bounded work in between."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable
from functools import partial
from typing import TypeAlias

from scic import errors
from scic.gateway.v1 import corpus_service_pb2 as pb
from services.gateway.callers.principal import Principal
from services.gateway.ingestion.batch import BatchIngester, failed
from services.gateway.ingestion.incoming import IncomingDocument, read

_BATCH_DOCUMENTS = 32
_BATCH_BYTES = 1 << 20
_BATCH_WAIT = 0.05
"""Seconds that a batch waits for more documents: a slow sender gets its results at once."""

_LARGE_BYTES = 1 << 18

_BATCHES_IN_FLIGHT = 3
"""Batches of one stream that are worked on together: enough to keep the encoders of two replicas busy while another
batch is chunked or written. With the sizes above it bounds a stream's memory; reading stops meanwhile, and the sender
is held back by the flow control of HTTP/2."""


_Incoming: TypeAlias = "asyncio.Queue[pb.IngestDocumentsRequest | errors.ScicError | None]"


class _Batch:
    """Documents that go to the stages together."""

    def __init__(self) -> None:
        self.documents: list[IncomingDocument] = []
        self.size = 0

    def add(self, document: IncomingDocument) -> None:
        """Takes a document in."""
        self.documents.append(document)
        self.size += len(document.input.content)

    @property
    def full(self) -> bool:
        """Whether it should not wait for more."""
        return len(self.documents) >= _BATCH_DOCUMENTS or self.size >= _BATCH_BYTES


class IngestStream:
    """Ingests one caller's stream."""

    def __init__(self, ingester: BatchIngester, principal: Principal) -> None:
        self._ingester = ingester
        self._principal = principal
        self._results: asyncio.Queue[pb.IngestDocumentsResponse | None] = asyncio.Queue()
        self._running: set[asyncio.Task[None]] = set()
        self._busy_ids: set[str] = set()

    async def run(
        self, requests: AsyncIterable[pb.IngestDocumentsRequest]
    ) -> AsyncGenerator[pb.IngestDocumentsResponse]:
        """Yields a result for each document, as it is durable. Ends all work when the caller leaves."""
        reader = asyncio.create_task(self._read(requests))
        try:
            while (result := await self._results.get()) is not None:
                yield result
            await reader
        finally:
            reader.cancel()
            await asyncio.wait([reader])

    async def _read(self, requests: AsyncIterable[pb.IngestDocumentsRequest]) -> None:
        incoming: _Incoming = asyncio.Queue(maxsize=1)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_pump(requests, incoming))
                await self._read_all(incoming, group)
        finally:
            self._results.put_nowait(None)

    async def _read_all(self, incoming: _Incoming, group: asyncio.TaskGroup) -> None:
        batch, index = _Batch(), 0
        while True:
            try:
                async with asyncio.timeout(_BATCH_WAIT if batch.documents else None):
                    request = await incoming.get()
            except TimeoutError:
                await self._start(batch, group)
                batch = _Batch()
                continue
            if request is None:
                break
            document = await self._read_one(index, request)
            if isinstance(document, pb.IngestDocumentsResponse):
                self._results.put_nowait(document)
            else:
                # The same document twice: the later one must win, so the earlier one is finished first.
                if document.input.document_id in self._busy_ids:
                    await self._start(batch, group)
                    batch = _Batch()
                    await self._drain()
                self._busy_ids.add(document.input.document_id)
                batch.add(document)
                if batch.full:
                    await self._start(batch, group)
                    batch = _Batch()
            index += 1
        await self._start(batch, group)

    async def _read_one(
        self, index: int, request: pb.IngestDocumentsRequest | errors.ScicError
    ) -> IncomingDocument | pb.IngestDocumentsResponse:
        """The document, or the result that says why it cannot be taken."""
        if isinstance(request, errors.ScicError):
            return failed(index, "", request)
        work = partial(read, index, request, self._principal, self._ingester.sources)
        try:
            # A large document takes a while to decode and to hash: not on the loop.
            return await asyncio.to_thread(work) if len(request.document.content) > _LARGE_BYTES else work()
        except errors.ScicError as error:
            return failed(index, request.document.document_id, error)

    async def _start(self, batch: _Batch, group: asyncio.TaskGroup) -> None:
        if not batch.documents:
            return
        while len(self._running) >= _BATCHES_IN_FLIGHT:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
        task = group.create_task(self._ingest(batch))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _ingest(self, batch: _Batch) -> None:
        for result in await self._ingester.ingest(self._principal, batch.documents):
            self._results.put_nowait(result)
        self._busy_ids.difference_update(document.input.document_id for document in batch.documents)

    async def _drain(self) -> None:
        while self._running:
            await asyncio.wait(self._running)


async def _pump(requests: AsyncIterable[pb.IngestDocumentsRequest], queue: _Incoming) -> None:
    """Moves requests into a queue, where a wait may time out: a read of the stream that is cancelled would break it.

    A message that could not be read is passed on as the error that it is; the stream goes on behind it.
    """
    iterator = aiter(requests)
    while True:
        try:
            await queue.put(await anext(iterator))
        except StopAsyncIteration:
            break
        except errors.ScicError as error:
            await queue.put(error)
    await queue.put(None)
