"""Each test of the store's contract runs with each store, each test of the caches alone and as a cluster."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from tests.contract.stores import STORES
from tests.valkey import ALONE, CLUSTER, Valkey

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from services.selector.ports import Store
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
    valkey = Valkey(tmp_path_factory.mktemp("valkey"), cluster=request.param)
    valkey.start()
    yield valkey
    valkey.kill()
