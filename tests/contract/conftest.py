"""Each test of the store's contract runs with each store, each test of the caches alone and as a cluster,
each test of the queue of jobs with each queue."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from tests.contract.job_worlds import MemoryWorld, redis_world
from tests.contract.stores import STORES
from tests.valkey import ALONE, CLUSTER, Valkey

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from services.selector.ports import Store
    from tests.contract.job_worlds import World
    from tests.contract.stores import Opener


@pytest.fixture(params=list(STORES))
async def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opener]:
    """Opens another store on the same data, as another process would."""
    async with AsyncExitStack() as stack:
        yield lambda: STORES[request.param].open(stack, tmp_path)


@pytest.fixture
async def store(open_store: Opener) -> Store:
    return await open_store()


@pytest.fixture(scope="module", params=[ALONE, CLUSTER])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    with Valkey(tmp_path_factory.mktemp("valkey"), cluster=request.param) as valkey:
        yield valkey


@pytest.fixture(scope="module")
def job_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Valkey]]:
    servers = {
        name: Valkey(tmp_path_factory.mktemp("valkey"), cluster=name == "cluster") for name in ("alone", "cluster")
    }
    for server in servers.values():
        server.start()
    yield servers
    for server in servers.values():
        server.kill()


@pytest.fixture(params=["memory", "alone", "cluster"])
async def any_world(request: pytest.FixtureRequest, job_servers: dict[str, Valkey]) -> AsyncIterator[World]:
    """A queue of jobs of each kind, and its time."""
    if request.param == "memory":
        yield MemoryWorld()
        return
    async with redis_world(job_servers[request.param]) as world:
        yield world
