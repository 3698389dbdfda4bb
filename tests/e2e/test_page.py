"""The ledger's page in a real Chromium: what is drawn, and that nothing of what a record holds runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from google.protobuf.descriptor import FieldDescriptor
from playwright.async_api import async_playwright, expect

from tests.e2e.browser import Visit, required_browser, visiting
from tests.unit.gateway.page.fake_ledger import PAGE_SIZE, FakeLedger
from tests.unit.gateway.page.handbook import HOSTILE
from tests.unit.gateway.page.keys import WRITER
from tests.unit.gateway.page.ledger_records import record, records

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from google.protobuf.message import Message
    from playwright.async_api import Browser

# One loop for all, so that they share a browser.
pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

NEWEST, REFUSED, FAILED = "01JPK0100", "01JPK0095", "01JPK0096"
WIDE, NARROW = (1400, 1000), (420, 900)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    program = required_browser()
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=program)
        yield running
        await running.close()


@pytest.fixture
def ledger() -> FakeLedger:
    return FakeLedger({"acme": list(records(45))})


@pytest_asyncio.fixture(loop_scope="module")
async def visit(browser: Browser, ledger: FakeLedger) -> AsyncIterator[Visit]:
    async with visiting(browser, ledger, WIDE) as visit:
        yield visit


async def test_a_key_opens_the_list_and_a_click_shows_everything_about_a_request(visit: Visit, tmp_path: Path) -> None:
    await visit.open()
    await expect(visit.tab.locator("#requests a")).to_have_count(PAGE_SIZE)
    await visit.tab.locator("#requests a").first.click()
    await visit.shows(NEWEST)
    shown = record(100, degraded=True).response

    headings = await visit.tab.locator("#record h2").all_inner_texts()
    assert headings == [
        "Done less well than asked",
        *("Time as the gateway saw it", "Tokens 92 % of what is allowed"),
        *("Quality measured on the text", "Isolation defused and masked", "Sources"),
        *("Candidates", "Prompt 7 messages", "Versions"),
    ]
    count = {
        ".notice.less li": len(shown.degradations),
        ".time .bar span": len(shown.timings) + 1,  # and the rest
        ".tokens .bar span": len(shown.tokens.sections) + 1,  # and what is unused
        ".quality .figures li": 5,
        ".quality .advice li": len(shown.quality.recommendations),
        ".isolation li": len(shown.isolation.defused) + len(shown.isolation.sensitive),
        ".sources li": len(shown.sources),
        ".candidates tbody.kept": len(shown.evidence),
        ".candidates tbody.dropped": len(shown.dropped),
        ".prompt details": len(shown.messages),
    }
    for selector, expected in count.items():
        await expect(visit.tab.locator(f"#record {selector}")).to_have_count(expected)
    assert await visit.tab.locator(".prompt pre").all_text_contents() == [m.content for m in shown.messages]
    tile = visit.tab.locator(".headline li", has_text="compression")
    await expect(tile.locator("small")).to_have_text(
        ["821 → 402, medium", "$0.002052 → $0.001005", "facts: 20 kept, 6 dropped"]
    )
    await expect(visit.tab.locator(".versions div", has_text="Corpus version").locator("dd")).to_have_text("1418")
    fates = await visit.tab.locator(".candidates tbody > tr:first-child > td:nth-child(5)").all_inner_texts()
    assert [fate for fate in fates if "masked" in fate or "guard" in fate] == [
        "summarised, masked",
        "dropped\nguard: IBAN",
    ]
    # The last one, a turn of the conversation, was not ranked.
    scores = await visit.tab.locator(".candidates tbody td.score").all_inner_texts()
    assert [scores[0], *scores[-2:]] == ["0.91", "0.31", ""]
    await expect(visit.tab.get_by_role("img", name="Time by stage: select 11 ms, compress 20 ms")).to_be_visible()
    await visit.tab.screenshot(path=tmp_path / "page.png")
    await visit.untouched()


async def test_hostile_text_in_every_field_is_shown_and_does_not_run(visit: Visit) -> None:
    hostile = record(100, degraded=True)
    poison(hostile)
    failed = record(101, failed=True)
    poison(failed)
    hostile.record_id, failed.record_id = NEWEST, FAILED
    visit.ledger.records["acme"] = [failed, hostile]

    await visit.open(f"#{NEWEST}")
    await visit.shows(NEWEST)
    for toggle in await visit.tab.locator(".toggle").all():
        await toggle.click()
    for place in ("h1", ".notice", ".sources", ".candidates", ".details", ".prompt", ".versions"):
        assert HOSTILE in str(await visit.tab.locator(f"#record {place}").first.text_content()), place
    await visit.tab.locator(f'#requests a[href="#{FAILED}"]').click()
    await visit.shows(FAILED)
    assert HOSTILE in str(await visit.tab.locator(".notice.wrong").text_content())
    assert await visit.in_page("document.scripts.length") == 1
    assert await visit.in_page("document.querySelectorAll('#ledger script, #ledger img').length") == 0
    await visit.untouched()


def poison(message: Message) -> None:
    """Put hostile text into every string of a message and of what it holds."""
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_STRING:
            if field.is_repeated:
                value[:] = [HOSTILE] * len(value)
            else:
                setattr(message, field.name, HOSTILE)
        elif field.message_type is not None and field.message_type.full_name != "google.protobuf.Any":
            if field.message_type.GetOptions().map_entry:
                for key in list(value):
                    value[key] = HOSTILE
            else:
                for part in value if field.is_repeated else (value,):
                    poison(part)


@pytest.mark.parametrize(
    ("attempt", "blocked"),
    [
        pytest.param("element.src = 'https://example.com/x'", "img-src", id="load from elsewhere"),
        pytest.param("await fetch('https://example.com/x')", "connect-src", id="send elsewhere"),
        pytest.param("element.innerHTML = '<b>text</b>'", "require-trusted-types-for", id="markup"),
        pytest.param("element.setAttribute('onerror', 'hacked = 1')", "require-trusted-types-for", id="handler"),
        pytest.param("element.setAttribute('style', 'color: red')", "style-src", id="style"),
    ],
)
async def test_should_text_ever_become_markup_the_policy_stops_it(visit: Visit, attempt: str, blocked: str) -> None:
    await visit.open()
    await visit.settled()
    directive = await visit.in_page(f"""() => new Promise((resolve) => {{
        document.addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective));
        setTimeout(() => resolve("nothing was stopped"), 10_000);
        const element = document.createElement("img");
        document.body.append(element);
        (async () => {{ {attempt} }})().catch(() => null);
    }})""")
    assert str(directive).startswith(blocked)
    assert await visit.in_page("window.hacked") is None


@pytest.mark.parametrize(
    ("key", "says"),
    [
        pytest.param("nobody", "the API key is not known", id="unknown"),
        pytest.param(WRITER, "the ledger needs the role reader", id="no reader"),
    ],
)
async def test_a_key_that_opens_nothing_is_forgotten_and_said(visit: Visit, key: str, says: str) -> None:
    await visit.open(key=key)
    await expect(visit.tab.get_by_role("alert")).to_have_text(says)
    await expect(visit.tab.locator("#ledger")).to_be_hidden()
    assert await visit.in_page("sessionStorage.length") == 0


async def test_an_address_leads_to_its_record_and_the_key_lasts_until_it_is_forgotten(visit: Visit) -> None:
    await visit.open(f"#{FAILED}")
    await visit.shows(FAILED)
    await expect(visit.tab.locator(".notice.wrong code")).to_have_text("STAGE_UNAVAILABLE")
    await expect(visit.tab.locator("#requests a[aria-current]")).to_have_attribute("href", f"#{FAILED}")
    await visit.tab.reload()
    await visit.shows(FAILED)
    await visit.tab.get_by_role("button", name="Forget the key").click()
    await expect(visit.tab.get_by_label("API key")).to_be_focused()
    await expect(visit.tab.locator("#record")).to_be_empty()
    assert await visit.in_page("sessionStorage.length") == 0


async def test_a_request_without_text_says_why_it_was_refused_in_its_place(visit: Visit) -> None:
    await visit.open(f"#{REFUSED}")
    await visit.shows(REFUSED)
    await expect(visit.tab.locator("h1").last).to_have_text("Request req-0095 failed: BUDGET_TOO_SMALL")
    line = visit.tab.locator(f'#requests a[href="#{REFUSED}"]')
    await expect(line.locator(".question")).to_have_text("BUDGET_TOO_SMALL")
    await expect(line.locator(".mark")).to_have_text("✕ failed")


async def test_a_part_that_is_there_is_never_0_percent(visit: Visit) -> None:
    usage = visit.ledger.records["acme"][-1].response.tokens
    usage.max_tokens = 100_000
    await visit.open(f"#{NEWEST}")
    await visit.shows(NEWEST)
    await expect(visit.tab.locator(".tokens .legend li", has_text="question").locator("small")).to_have_text("<1 %")


async def test_a_record_that_is_gone_is_said_and_the_list_stays(visit: Visit) -> None:
    await visit.open("#gone")
    await expect(visit.tab.get_by_role("status").first).to_contain_text("RECORD_NOT_FOUND")
    await visit.tab.locator("#requests a").first.click()
    await visit.shows(NEWEST)
    await expect(visit.tab.get_by_role("status").first).to_be_empty()


async def test_the_list_goes_on_and_can_be_narrowed(visit: Visit) -> None:
    await visit.open()
    links = visit.tab.locator("#requests a")
    await expect(links).to_have_count(PAGE_SIZE)
    await visit.tab.get_by_role("button", name="More").click()
    await expect(links).to_have_count(2 * PAGE_SIZE)
    await visit.tab.get_by_role("button", name="More").click()
    await expect(links).to_have_count(45)
    await expect(visit.tab.locator("#more")).to_be_hidden()

    await visit.tab.get_by_label("Only failed or degraded").check()
    await expect(links).to_have_count(6)
    await visit.tab.get_by_label("Profile").fill("nothing@live")
    await visit.tab.get_by_role("button", name="Refresh").click()
    await expect(visit.tab.get_by_text("No request matches.")).to_be_visible()
    await visit.untouched()


async def test_candidates_are_filtered_by_text_and_open_to_show_their_score(visit: Visit) -> None:
    await visit.open(f"#{NEWEST}")
    rows = visit.tab.locator(".candidates tbody:not([hidden])")
    await visit.tab.get_by_label("Filter candidates").fill("Section full")
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("History of this page")
    await expect(visit.tab.locator(".find [role=status]")).to_have_text("1 of 12 candidates")
    await visit.tab.get_by_label("Filter candidates").fill("")
    await expect(rows).to_have_count(12)
    toggle = visit.tab.get_by_role("button", name="Details of handbook/keys.md#3")
    await toggle.focus()
    await visit.tab.keyboard.press("Enter")
    await expect(toggle).to_have_attribute("aria-expanded", "true")
    await expect(visit.tab.locator("#candidate-0")).to_contain_text("0.91 = (0.50 by words + 0.41 by meaning)")
    await visit.untouched()


async def test_a_keyboard_is_enough(visit: Visit) -> None:
    await visit.open()
    await visit.settled()
    await visit.tab.locator("#requests a").first.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowUp", "ArrowDown", "Enter"):
        await visit.tab.keyboard.press(key)
    await visit.shows("01JPK0098")
    await visit.untouched()


async def test_a_narrow_window_shows_the_list_or_the_record(browser: Browser, ledger: FakeLedger) -> None:
    async with visiting(browser, ledger, NARROW) as visit:
        await visit.open()
        await visit.settled()
        await expect(visit.tab.locator("#record")).to_be_hidden()
        await visit.tab.locator("#requests a").first.click()
        await visit.shows(NEWEST)
        await expect(visit.tab.locator("#requests")).to_be_hidden()
        await expect(visit.tab.locator("h1").last).to_be_focused()
        assert await visit.in_page("document.documentElement.scrollWidth") == NARROW[0]
        await visit.tab.get_by_role("link", name="All requests").click()
        await visit.settled()
        await visit.untouched()
