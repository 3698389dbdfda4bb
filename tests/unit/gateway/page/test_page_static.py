"""The page's files: open to all, without data, and confined."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from services.gateway.page.assets import read_assets

if TYPE_CHECKING:
    from tests.unit.gateway.page.conftest import Visitor

ASSETS = read_assets()


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        pytest.param("/ledger/", "text/html", id="the page"),
        pytest.param("/ledger/page.css", "text/css", id="its style"),
        pytest.param("/ledger/page.js", "text/javascript", id="its script"),
        pytest.param("/ledger/icon.svg", "image/svg+xml", id="its icon"),
        pytest.param("/ledger/healthz", "text/plain", id="health"),
    ],
)
async def test_what_holds_no_data_needs_no_key(visitor: Visitor, path: str, content_type: str) -> None:
    async with visitor.ask(path, authorization=None) as reply:
        assert reply.status == 200
        assert reply.content_type == content_type
        assert await reply.text()


@pytest.mark.parametrize("path", ASSETS)
def test_a_file_names_no_other_host_and_no_file_that_is_not_there(path: str) -> None:
    text = ASSETS[path].body.decode()
    assert set(re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]+", text)) <= {"http://www.w3.org"}
    named = re.findall(r"""(?:href|src)="([^"#]+)"|from "\./([^"]+)\"""", text)
    assert {f"/ledger/{link or module}" for link, module in named} <= set(ASSETS)


@pytest.mark.parametrize("path", [path for path in ASSETS if path.endswith((".js", "/"))])
def test_nothing_turns_text_into_markup_or_code(path: str) -> None:
    text = ASSETS[path].body.decode()
    forbidden = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser|localStorage|cookie"
    )
    assert re.findall(forbidden, text) == []
    assert re.findall(r"<script>|\son[a-z]+=\"|style=\"|javascript:", text) == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", "/ledger/", 200, id="page"),
        pytest.param("GET", "/ledger/api/records", 200, id="records"),
        pytest.param("GET", "/ledger/api/records/nothing", 404, id="unknown record"),
        pytest.param("GET", "/ledger/unknown", 404, id="unknown path"),
        pytest.param("POST", "/ledger/api/records", 405, id="another method"),
    ],
)
async def test_every_answer_tells_the_browser_to_run_load_frame_and_keep_nothing(
    visitor: Visitor, method: str, path: str, status: int
) -> None:
    async with visitor.ask(path, method=method) as reply:
        assert reply.status == status
        policy = dict(directive.split(" ", 1) for directive in reply.headers["Content-Security-Policy"].split("; "))
        assert (policy.pop("require-trusted-types-for"), policy.pop("trusted-types")) == ("'script'", "'none'")
        assert policy["default-src"] == policy["frame-ancestors"] == policy["form-action"] == policy["base-uri"]
        assert set(policy.values()) == {"'none'", "'self'"}
        assert policy["default-src"] == "'none'"
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["Referrer-Policy"] == "no-referrer"
        assert reply.headers["Cache-Control"] == "no-store"
        assert reply.headers["Server"] == "scic"
        assert "Set-Cookie" not in reply.headers


@pytest.mark.parametrize(
    "path", ["/ledger/", "/ledger/page.js", "/ledger/api/records", "/ledger/api/records/01JPK0100"]
)
async def test_it_only_reads(visitor: Visitor, path: str) -> None:
    async with visitor.ask(path, method="HEAD") as head:
        assert (head.status, await head.read()) == (200, b"")
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        status, error = await visitor.json(path, method=method)
        assert (status, error["code"]) == (405, "UNIMPLEMENTED")


@pytest.mark.parametrize(
    "path", ["/", "/ledger", "/ledger/unknown", "/ledger/../page.py", "/ledger/static/page.js", "/metrics"]
)
async def test_there_is_nothing_else(visitor: Visitor, path: str) -> None:
    status, error = await visitor.json(path)
    assert (status, error["code"]) == (404, "NOT_FOUND")


def test_every_file_is_small_and_served() -> None:
    folder = Path(read_assets.__code__.co_filename).parent / "static"
    assert len(ASSETS) == len(list(folder.iterdir()))
    assert sum(len(asset.body) for asset in ASSETS.values()) < 60_000
