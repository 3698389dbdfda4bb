"""The page on a free port, before a ledger in memory and a real key ring."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from services.gateway.page import page
from tests.unit.gateway.page.fake_ledger import FakeLedger
from tests.unit.gateway.page.keys import READER, ring
from tests.unit.gateway.page.ledger_records import records

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Visitor:
    """Asks the page, by default with the key of a reader."""

    def __init__(self, session: aiohttp.ClientSession, ledger: FakeLedger) -> None:
        self._session = session
        self.ledger = ledger

    @asynccontextmanager
    async def ask(
        self, path: str, *, method: str = "GET", authorization: str | None = f"Bearer {READER}"
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        headers = {} if authorization is None else {"Authorization": authorization}
        async with self._session.request(method, path, headers=headers, allow_redirects=False) as reply:
            yield reply

    async def json(self, path: str, **options: Any) -> tuple[int, dict[str, Any]]:
        async with self.ask(path, **options) as reply:
            body: dict[str, Any] = await reply.json()
            return reply.status, body


@pytest.fixture
async def visitor() -> AsyncIterator[Visitor]:
    ledger = FakeLedger({"acme": list(records(45))})
    async with (
        page("127.0.0.1", 0, ring(), ledger) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
    ):
        yield Visitor(session, ledger)
