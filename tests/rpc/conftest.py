"""A Valkey that the tests of a module share, and a JobService."""

from collections.abc import AsyncIterator, Iterator

import pytest

from scic.gateway.v1 import job_service_pb2_grpc as rpc
from services.gateway.jobs.servicer import JobServicer
from tests.rpc.jobs_world import MAX_BYTES, World, channel_to, serving
from tests.valkey import Valkey


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    with Valkey(tmp_path_factory.mktemp("valkey")) as valkey:
        yield valkey


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    servicer = JobServicer(world.queue, world.signals, max_bytes=MAX_BYTES, is_leaving=lambda: world.is_leaving)
    async with serving(servicer) as address, channel_to(address) as channel:
        world.stub = rpc.JobServiceStub(channel)
        yield world
