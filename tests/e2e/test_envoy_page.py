"""The ledger's page through the shipped edge, under the real Envoy."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from scic.mesh import process
from scic.mesh.health import wait_healthy
from services.gateway.page import page
from tests.e2e.envoy_stack import Stack, kill
from tests.unit.gateway.page.fake_ledger import FakeLedger
from tests.unit.gateway.page.keys import READER, ring
from tests.unit.gateway.page.ledger_records import records

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

pytestmark = pytest.mark.e2e


@pytest_asyncio.fixture
async def paged(tmp_path: Path) -> AsyncIterator[Stack]:
    """An edge alone: before the page there is nothing else."""
    stack = Stack(tmp_path, "edge")
    async with AsyncExitStack() as exits:
        proxy = await process.start(stack.envoy_spec())
        exits.push_async_callback(kill, proxy)
        await asyncio.wait_for(wait_healthy(stack.envoy_spec().probe), 20)
        yield stack


def paging(stack: Stack, index: int) -> AbstractAsyncContextManager[int]:
    """The page of one gateway, served while the context lasts."""
    return page(*stack.pages[index], ring(), FakeLedger({"acme": list(records(3))}))


def visitor(stack: Stack) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(f"http://{stack.address}", headers={"Authorization": f"Bearer {READER}"})


async def status(session: aiohttp.ClientSession, path: str = "/ledger/", method: str = "GET") -> int:
    async with session.request(method, path) as reply:
        await reply.read()
        return reply.status


async def until_found(session: aiohttp.ClientSession) -> None:
    async with asyncio.timeout(20):
        while await status(session) != 200:  # noqa: ASYNC110 - Envoy has no event to wait for
            await asyncio.sleep(0.05)


async def test_the_page_comes_through_the_edge_and_only_to_be_read(paged: Stack) -> None:
    async with paging(paged, 0), paging(paged, 1), visitor(paged) as session:
        await until_found(session)
        async with session.get("/ledger/") as reply:
            assert reply.content_type == "text/html"
            assert "frame-ancestors 'none'" in reply.headers["Content-Security-Policy"]
            assert "x-request-id" in reply.headers
        async with session.get("/ledger/api/records?troubled=1") as reply:
            listed = await reply.json()
        assert [record["recordId"] for record in listed["records"]] == ["01JPK0100"]
        assert await status(session, method="HEAD") == 200
        async with aiohttp.ClientSession(f"http://{paged.address}") as nobody:
            assert await status(nobody, "/ledger/api/records") == 401
        for path, method in (
            ("/ledger/", "POST"),
            ("/ledger/api/records", "DELETE"),
            ("/", "GET"),
            ("/ledgers", "GET"),
        ):
            assert await status(session, path, method) == 404, (path, method)


async def test_a_gateway_that_stops_under_page_calls_fails_none(paged: Stack) -> None:
    async with AsyncExitStack() as leaving, paging(paged, 1), visitor(paged) as session:
        await leaving.enter_async_context(paging(paged, 0))
        await until_found(session)
        stopping = asyncio.create_task(leaving.aclose())
        for _ in range(40):
            calls = (status(session, path) for path in ("/ledger/", "/ledger/page.js", "/ledger/api/records"))
            assert set(await asyncio.gather(*calls)) == {200}
        await stopping


@asynccontextmanager
async def cutting_off(host: str, port: int) -> AsyncIterator[list[str]]:
    """A replica that says it is healthy and cuts every call off, as one that is killed; yields what it was asked."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        if request.path != "/ledger/healthz" and request.transport is not None:
            asked.append(request.path)
            request.transport.abort()
        return web.Response()

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield asked
    finally:
        await runner.cleanup()


async def test_a_page_call_that_is_cut_off_is_made_again_elsewhere(paged: Stack) -> None:
    async with cutting_off(*paged.pages[0]) as cut, paging(paged, 1), visitor(paged) as session:
        await until_found(session)
        assert {await status(session) for _ in range(60)} == {200}
        assert cut, "it was asked first, too"


async def test_without_a_page_the_edge_says_so(paged: Stack) -> None:
    async with visitor(paged) as session:
        assert await status(session) == 503
