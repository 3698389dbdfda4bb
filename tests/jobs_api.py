"""JobService as tests call it: one key, plain requests, ScicErrors."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc

from scic import errors
from scic.gateway.v1 import corpus_service_pb2 as corpus_pb
from scic.gateway.v1 import job_service_pb2 as pb
from scic.gateway.v1 import job_service_pb2_grpc as rpc
from tests.waiting import LONG


class Jobs:
    """JobService for one key."""

    def __init__(self, channel: grpc.aio.Channel, key: str) -> None:
        self._stub: Any = rpc.JobServiceStub(channel)
        self._metadata = (("authorization", f"Bearer {key}"),)

    async def call(self, method: str, request: Any) -> Any:
        try:
            return await getattr(self._stub, method)(request, metadata=self._metadata, timeout=LONG)
        except grpc.aio.AioRpcError as error:
            raise errors.from_rpc_error(error) from error

    async def submit(self, name: str, **fields: Any) -> str:
        return str((await self.call("SubmitJob", pb.SubmitJobRequest(request_id=name, **fields))).job.job_id)

    async def watch(self, job_id: str, position: str = "") -> list[pb.WatchJobResponse]:
        """All events after a position until the job has ended; while the queue is away, it is asked again."""
        request, events = pb.WatchJobRequest(job_id=job_id, position=position), list[pb.WatchJobResponse]()
        async with asyncio.timeout(LONG):
            while True:
                try:
                    async for event in self._stub.WatchJob(request, metadata=self._metadata, timeout=LONG):
                        events.append(event)
                        request.position = event.position
                except grpc.aio.AioRpcError as error:
                    if error.code() is not grpc.StatusCode.UNAVAILABLE:
                        raise errors.from_rpc_error(error) from error
                    await asyncio.sleep(0.2)
                else:
                    return events

    async def ended(self, job_id: str) -> pb.Job:
        return (await self.watch(job_id))[-1].job

    async def get(self, job_id: str) -> pb.Job:
        response: pb.GetJobResponse = await self.call("GetJob", pb.GetJobRequest(job_id=job_id))
        return response.job

    async def results(self, job_id: str, page_size: int = 3) -> list[pb.JobResult]:
        request, found = pb.ListJobResultsRequest(job_id=job_id, page_size=page_size), []
        while True:
            page = await self.call("ListJobResults", request)
            found += page.results
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token


@asynccontextmanager
async def jobs_of(address: str, key: str) -> AsyncIterator[Jobs]:
    """The jobs that a key may see."""
    async with grpc.aio.insecure_channel(address) as channel:
        yield Jobs(channel, key)


def notes(count: int) -> pb.DocumentBatch:
    """Documents, each with numbers that no other has."""
    texts = ("".join(f"Note {number} says {number * 1000 + line}.\n\n" for line in range(8)) for number in range(count))
    return pb.DocumentBatch(
        documents=[
            corpus_pb.DocumentInput(
                document_id=f"notes/{number}.md", content=text.encode(), content_type="text/markdown"
            )
            for number, text in enumerate(texts)
        ]
    )
