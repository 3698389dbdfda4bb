"""Records over HTTP: for readers of the tenant, and for nobody else."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from google.protobuf import json_format
from structlog.testing import capture_logs

from scic import errors
from scic.gateway.v1 import ledger_service_pb2 as pb
from services.chassis import metrics
from services.gateway.page import page
from services.gateway.page import records as records_module
from tests.unit.gateway.page.fake_ledger import PAGE_SIZE
from tests.unit.gateway.page.handbook import HOSTILE
from tests.unit.gateway.page.keys import READER, STRANGER, WRITER, ring

if TYPE_CHECKING:
    from tests.unit.gateway.page.conftest import Visitor

LIST, NEWEST = "/ledger/api/records", "/ledger/api/records/01JPK0100"


@pytest.mark.parametrize("path", [pytest.param(LIST, id="list"), pytest.param(NEWEST, id="get")])
@pytest.mark.parametrize(
    ("authorization", "status", "reason"),
    [
        pytest.param(None, 401, "MISSING_CREDENTIAL", id="no key"),
        pytest.param("", 401, "MISSING_CREDENTIAL", id="empty"),
        pytest.param("Bearer nobody", 401, "INVALID_CREDENTIAL", id="unknown key"),
        pytest.param("Bearer ", 401, "INVALID_CREDENTIAL", id="no key after the scheme"),
        pytest.param(READER, 401, "INVALID_CREDENTIAL", id="no scheme"),
        pytest.param(f"Basic {READER}", 401, "INVALID_CREDENTIAL", id="another scheme"),
        pytest.param(f"Bearer {WRITER}", 403, "ROLE_REQUIRED", id="no reader"),
    ],
)
async def test_without_a_readers_key_there_are_no_records(
    visitor: Visitor, path: str, authorization: str | None, status: int, reason: str
) -> None:
    async with visitor.ask(path, authorization=authorization) as reply:
        error = await reply.json()
        assert (reply.status, error["reason"]) == (status, reason)
        assert (reply.headers.get("WWW-Authenticate") == "Bearer") == (status == 401)
        assert set(error) == {"code", "reason", "message"}
    assert visitor.ledger.asked == []


async def test_a_key_in_the_address_opens_nothing(visitor: Visitor) -> None:
    status, _ = await visitor.json(f"{LIST}?key={READER}&authorization=Bearer%20{READER}", authorization=None)
    assert status == 401


async def test_another_tenant_sees_nothing(visitor: Visitor) -> None:
    stranger = f"Bearer {STRANGER}"
    assert await visitor.json(LIST, authorization=stranger) == (200, {"records": [], "nextPageToken": ""})
    status, error = await visitor.json(NEWEST, authorization=stranger)
    assert (status, error["reason"]) == (404, "RECORD_NOT_FOUND")


async def test_all_pages_together_are_all_records_newest_first(visitor: Visitor) -> None:
    seen: list[str] = []
    token = ""
    while token or not seen:
        status, body = await visitor.json(f"{LIST}?page_token={token}")
        assert status == 200
        listed = json_format.ParseDict(body, pb.ListRecordsResponse())
        assert len(listed.records) <= PAGE_SIZE
        seen += [summary.record_id for summary in listed.records]
        token = listed.next_page_token
    assert seen == [record.record_id for record in reversed(visitor.ledger.records["acme"])]


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        pytest.param("", pb.ListRecordsRequest(), id="nothing"),
        pytest.param("?troubled=1", pb.ListRecordsRequest(only_troubled=True), id="troubled"),
        pytest.param("?troubled=0", pb.ListRecordsRequest(), id="not only troubled"),
        pytest.param("?profile=a%40b", pb.ListRecordsRequest(profile="a@b"), id="profile"),
        pytest.param("?page_token=20", pb.ListRecordsRequest(page_token="20"), id="token"),
    ],
)
async def test_what_the_ledger_is_asked(visitor: Visitor, query: str, asked: pb.ListRecordsRequest) -> None:
    assert (await visitor.json(f"{LIST}{query}"))[0] == 200
    assert visitor.ledger.asked == [asked]


@pytest.mark.parametrize("name", ["01JPK0100", "req-0100"])
async def test_a_record_comes_whole_by_its_name_or_that_of_its_request(visitor: Visitor, name: str) -> None:
    async with visitor.ask(f"{LIST}/{name}") as reply:
        assert reply.content_type == "application/json"
        text = await reply.text()
    got = json_format.Parse(text, pb.GetRecordResponse()).record
    assert got == visitor.ledger.records["acme"][-1]
    assert HOSTILE in got.response.messages[-2].content


async def test_a_record_of_a_failed_request_comes_with_its_error(visitor: Visitor) -> None:
    _, body = await visitor.json(f"{LIST}/01JPK0096")
    assert "response" not in body["record"]
    assert body["record"]["error"]["details"][0]["reason"] == "STAGE_UNAVAILABLE"


@pytest.mark.parametrize(
    ("path", "field"),
    [
        pytest.param(f"{LIST}?troubled=yes", "troubled", id="flag"),
        pytest.param(f"{LIST}?page_token={'x' * 1025}", "page_token", id="token"),
        pytest.param(f"{LIST}?profile={'x' * 193}", "profile", id="profile"),
        pytest.param(f"{LIST}/{'x' * 65}", "record_id", id="record"),
    ],
)
async def test_a_bad_request_is_refused_by_field(visitor: Visitor, path: str, field: str) -> None:
    status, error = await visitor.json(path)
    assert (status, error["code"], error["reason"]) == (400, "INVALID_ARGUMENT", "INVALID_FIELD")
    assert error["message"].startswith(f"{field}: ")


@pytest.mark.parametrize(
    ("fails", "status", "reason"),
    [
        pytest.param(errors.RECORD_ERASED.error("erased"), 404, "RECORD_ERASED", id="erased"),
        pytest.param(errors.STORAGE_NOT_CONFIGURED.error("none"), 400, "STORAGE_NOT_CONFIGURED", id="no storage"),
        pytest.param(errors.STORAGE_UNAVAILABLE.error("away"), 503, "STORAGE_UNAVAILABLE", id="storage away"),
        pytest.param(errors.CORRUPT_CORPUS.error("broken"), 500, "CORRUPT_CORPUS", id="any other code"),
        pytest.param(TimeoutError(), 504, "DEADLINE_EXCEEDED", id="timeout"),
        pytest.param(RuntimeError("secret"), 500, "INTERNAL", id="bug"),
    ],
)
@pytest.mark.parametrize("path", [pytest.param(LIST, id="list"), pytest.param(NEWEST, id="get")])
async def test_errors_of_the_ledger_have_a_fitting_status(
    visitor: Visitor, path: str, fails: Exception, status: int, reason: str
) -> None:
    visitor.ledger.fails = fails
    got, error = await visitor.json(path)
    assert (got, error["reason"]) == (status, reason)
    assert "secret" not in error["message"]


async def test_a_ledger_that_does_not_answer_is_given_up(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records_module, "_DEADLINE_SECONDS", 0.05)
    monkeypatch.setattr(visitor.ledger, "list", lambda principal, request: asyncio.Event().wait())
    status, error = await visitor.json(LIST)
    assert (status, error["reason"]) == (504, "DEADLINE_EXCEEDED")


async def test_requests_are_measured_and_logged_without_the_key(visitor: Visitor) -> None:
    def measured(status: str) -> float:
        labels = {"operation": "LedgerPage/GetRecord", "status": status}
        return metrics.REGISTRY.get_sample_value("context_request_duration_seconds_count", labels) or 0.0

    before = measured("OK"), measured("NOT_FOUND")
    with capture_logs() as lines:
        await visitor.json(NEWEST)
        await visitor.json(f"{LIST}/nothing")
        async with visitor.ask("/ledger/"):
            pass
    assert (measured("OK"), measured("NOT_FOUND")) == (before[0] + 1, before[1] + 1)
    assert [line["status"] for line in lines if line["event"] == "request"] == ["OK", "NOT_FOUND"]
    assert READER not in repr(lines)


async def test_a_port_that_is_taken_is_an_os_error(visitor: Visitor) -> None:
    async with page("127.0.0.1", 0, ring(), visitor.ledger) as port:
        with pytest.raises(OSError, match="address already in use"):
            async with page("127.0.0.1", port, ring(), visitor.ledger):
                pass
