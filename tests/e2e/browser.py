"""A real Chromium on the ledger's page, for tests."""

from __future__ import annotations

import os
import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import expect

from services.gateway.page import page
from tests.unit.gateway.page.keys import READER, ring

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, Page

    from tests.unit.gateway.page.fake_ledger import FakeLedger

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


def required_browser() -> str:
    """The browser's program; without one a laptop skips the test, and CI fails it."""
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None:
        message = "no Chromium: install the package `chromium`"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


class Visit:
    """One tab on the page."""

    def __init__(self, tab: Page, origin: str, ledger: FakeLedger) -> None:
        self.tab = tab
        self.origin = origin
        self.ledger = ledger
        self.errors: list[str] = []
        self.requested: list[str] = []
        tab.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        tab.on("pageerror", lambda error: self.errors.append(str(error)))
        tab.on("request", lambda request: self.requested.append(request.url))

    async def open(self, address: str = "", key: str = READER) -> None:
        """Goes to the page and gives the key."""
        await self.tab.goto(f"{self.origin}/ledger/{address}")
        await self.tab.get_by_label("API key").fill(key)
        await self.tab.keyboard.press("Enter")

    async def settled(self) -> None:
        await expect(self.tab.locator("#requests a").first).to_be_visible()

    async def shows(self, record_id: str) -> None:
        await expect(self.tab.locator("#record header code")).to_have_text(record_id)

    async def in_page(self, expression: str) -> Any:
        return await self.tab.evaluate(expression)

    async def untouched(self) -> None:
        """Nothing ran, nothing failed, nothing was asked of anybody else, and the key is where it should be."""
        assert await self.in_page("window.hacked") is None
        assert self.errors == []
        assert [url for url in self.requested if not url.startswith(f"{self.origin}/ledger/")] == []
        assert [url for url in (*self.requested, self.tab.url) if READER in url] == []
        assert await self.in_page("Object.values(sessionStorage)") == [READER]
        assert await self.in_page("[localStorage.length, document.cookie]") == [0, ""]


@asynccontextmanager
async def visiting(browser: Browser, ledger: FakeLedger, size: tuple[int, int]) -> AsyncIterator[Visit]:
    width, height = size
    async with page("127.0.0.1", 0, ring(), ledger) as port:
        context = await browser.new_context(
            viewport={"width": width, "height": height}, timezone_id="UTC", locale="en-GB", color_scheme="light"
        )
        try:
            yield Visit(await context.new_page(), f"http://127.0.0.1:{port}", ledger)
        finally:
            await context.close()
