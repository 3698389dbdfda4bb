"""One suite, two meshes: everything in this process, and processes behind the real Envoy."""

from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Protocol

import pytest
import pytest_asyncio

import scic.testing
from scic.client import Client
from scic.gateway.v1 import corpus_service_pb2 as pb
from tests.conftest import TENANTS
from tests.mesh.corpus import DOCUMENTS
from tests.valkey import Valkey


class Mesh(Protocol):
    """What the tests need of a mesh."""

    def client(self, tenant: str) -> Client: ...


@pytest_asyncio.fixture(
    scope="session",
    loop_scope="session",
    params=[pytest.param("in process"), pytest.param("processes", marks=pytest.mark.e2e)],
)
async def mesh(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mesh]:
    if request.param == "processes":
        yield request.getfixturevalue("laptop_mesh")
        return
    with Valkey(tmp_path_factory.mktemp("valkey")) as valkey:
        async with scic.testing.mesh(redis_url=valkey.url, tenants=TENANTS, groups=("guests",)) as running:
            yield running


@pytest_asyncio.fixture(loop_scope="session")
async def client(mesh: Mesh, tenant: str) -> AsyncIterator[Client]:
    """A client of a tenant that has nothing yet."""
    async with mesh.client(tenant) as client:
        yield client


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def library(mesh: Mesh, unused_tenants: Iterator[str]) -> AsyncIterator[Client]:
    """A client of a tenant that has `DOCUMENTS`; tests only read."""
    async with mesh.client(next(unused_tenants)) as client:
        results = await ingested(client, DOCUMENTS)
        assert {result.outcome for result in results.values()} == {pb.IngestDocumentsResponse.OUTCOME_INDEXED}
        yield client


async def ingested(client: Client, documents: Iterable[pb.DocumentInput]) -> dict[str, pb.IngestDocumentsResponse]:
    """Sends documents; the results by document id."""
    return {result.document_id: result async for result in client.ingest_documents(documents)}
