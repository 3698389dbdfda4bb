"""JobService on a queue in memory, and its callers."""

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from pydantic import SecretStr

from scic import errors
from scic.gateway.v1 import context_service_pb2 as context_pb
from scic.gateway.v1 import corpus_service_pb2 as corpus_pb
from scic.gateway.v1 import job_service_pb2 as pb
from scic.gateway.v1 import job_service_pb2_grpc as rpc
from services.chassis.app import App
from services.chassis.health import Health
from services.chassis.server import start
from services.gateway.callers.authentication import Authentication
from services.gateway.callers.principal import parse_keys
from services.gateway.jobs.ports import Claim, ItemResult
from services.gateway.jobs.servicer import JobServicer
from services.gateway.settings import GatewaySettings
from services.gateway.signals import LocalSignals
from tests.unit.gateway.jobs.memory_queue import FakeQueue

MAX_BYTES = 20_000
KEYS = {
    "hr": ("acme", ["reader", "writer"], ["hr"]),
    "hr-reader": ("acme", ["reader"], ["hr"]),
    "sales": ("acme", ["reader", "writer"], ["sales"]),
    "all": ("acme", ["reader", "writer"], ["*"]),
    "operator": ("acme", ["operator"], ["*"]),
    "writer": ("acme", ["writer"], ["hr"]),
    "other": ("other", ["reader", "writer"], ["*"]),
}
SOME = pb.ContextBatch(requests=[context_pb.BuildContextRequest(question="Why?", max_tokens=500)])
MANY = pb.ContextBatch(requests=[context_pb.BuildContextRequest(question=f"Why {n}?") for n in range(12)])
TEXTS = pb.DocumentBatch(documents=[corpus_pb.DocumentInput(document_id="a.md", content=b"text")])
NO_JOB = "a" * 32


def keys_json() -> str:
    entries = [
        {
            "id": name,
            "sha256": hashlib.sha256(name.encode()).hexdigest(),
            "tenant": tenant,
            "roles": roles,
            "groups": groups,
        }
        for name, (tenant, roles, groups) in KEYS.items()
    ]
    return json.dumps({"keys": entries})


class World:
    """A server, and calls to it."""

    def __init__(self) -> None:
        self.signals = LocalSignals()
        self.queue = FakeQueue(signals=self.signals, max_waiting=3)
        self.stub: Any = None
        self.is_leaving = False

    async def call(self, method: str, request: Any, key: str = "hr", **metadata: str) -> Any:
        try:
            return await getattr(self.stub, method)(request, metadata=self.metadata(key, **metadata), timeout=20)
        except grpc.aio.AioRpcError as error:
            raise errors.from_rpc_error(error) from error

    async def watch(self, job_id: str, key: str = "hr", **fields: Any) -> list[pb.WatchJobResponse]:
        request = pb.WatchJobRequest(job_id=job_id, **fields)
        try:
            return [event async for event in self.stub.WatchJob(request, metadata=self.metadata(key), timeout=20)]
        except grpc.aio.AioRpcError as error:
            raise errors.from_rpc_error(error) from error

    def metadata(self, key: str, **more: str) -> tuple[tuple[str, str], ...]:
        return ("authorization", f"Bearer {key}"), *((name.replace("_", "-"), value) for name, value in more.items())

    async def submitted(self, name: str = "r", key: str = "hr", **fields: Any) -> pb.Job:
        work = fields if fields.keys() & {"contexts", "documents"} else {"contexts": SOME, **fields}
        request = pb.SubmitJobRequest(request_id=name, **work)
        response: pb.SubmitJobResponse = await self.call("SubmitJob", request, key)
        return response.job

    async def claim(self) -> Claim:
        claim = await self.queue.claim()
        assert claim is not None
        return claim

    async def fill(self, claim: Claim, *numbers: int, size: int = 1) -> None:
        results = {
            number: ItemResult(
                pb.JobResult(index=number, context=context_pb.BuildContextResponse(request_id="x" * size)), ()
            )
            for number in numbers
        }
        await self.queue.record(claim, results)


@asynccontextmanager
async def serving(servicer: JobServicer) -> AsyncIterator[str]:
    @asynccontextmanager
    async def build(health: Health) -> AsyncIterator[App]:
        def register(server: grpc.aio.Server) -> None:
            rpc.add_JobServiceServicer_to_server(servicer, server)

        yield App("gateway", register, (), (Authentication(parse_keys(keys_json(), origin="test")),))

    settings = GatewaySettings(port=0, metrics_port=None, drain_seconds=0, grace_seconds=1, keys=SecretStr(keys_json()))
    async with start(build, settings) as port:
        yield f"127.0.0.1:{port}"


def channel_to(address: str) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(address, options=[("grpc.max_receive_message_length", -1)])
