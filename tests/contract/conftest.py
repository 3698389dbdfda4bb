"""Each test of the store's contract runs with each store."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from tests.contract.stores import STORES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
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
