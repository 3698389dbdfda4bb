"""`scic ledger` against a real server."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Self

import grpc.aio
import pytest
from typer.testing import CliRunner, Result

from scic.cli import ledger as commands
from scic.client.ledger_methods import LedgerMethods
from scic.errors import ScicError
from scic.gateway.v1 import ledger_service_pb2_grpc
from tests.unit.cli.ledger_server import RECORDS

FIRST, DEGRADED, FAILED = (record.record_id for record in RECORDS)


class LedgerClient(LedgerMethods):
    """A client of the ledger alone."""

    def __init__(self, address: str, api_key: str) -> None:
        self._metadata = (("authorization", f"Bearer {api_key}"),)
        self._channel = grpc.aio.insecure_channel(address)
        self._ledger = ledger_service_pb2_grpc.LedgerServiceStub(self._channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.unit.cli.ledger_server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout
        assert server.stdin
        yield f"127.0.0.1:{server.stdout.readline().strip()}"
        server.stdin.close()
        server.stdout.close()


@pytest.fixture
def ledger(address: str, monkeypatch: pytest.MonkeyPatch):
    """Runs the command."""
    monkeypatch.setattr(commands, "connect", lambda _, key, __: LedgerClient(address, key))

    def run(*arguments: str, key: str = "admin") -> Result:
        result = CliRunner().invoke(commands.ledger, [*arguments, "--api-key", key], env={"COLUMNS": "160"})
        if isinstance(result.exception, ScicError):
            raise result.exception
        return result

    return run


def rows(result: Result) -> list[str]:
    """Record ids of a listing."""
    assert result.exit_code == 0
    header, *lines = result.stdout.splitlines()
    assert header.startswith("time ")
    return [line.split()[1] for line in lines]


@pytest.mark.parametrize(
    ("options", "listed"),
    [
        pytest.param((), [FAILED, DEGRADED, FIRST], id="all, newest first"),
        pytest.param(("--limit", "2"), [FAILED, DEGRADED], id="limit"),
        pytest.param(("--troubled",), [FAILED, DEGRADED], id="troubled"),
        pytest.param(("--profile", "support"), [DEGRADED], id="profile"),
    ],
)
def test_list(ledger, options: tuple[str, ...], listed: list[str]) -> None:
    assert rows(ledger("list", *options)) == listed


def test_list_as_json(ledger) -> None:
    lines = ledger("list", "--json").stdout.splitlines()
    assert [json.loads(line)["record_id"] for line in lines] == [FAILED, DEGRADED, FIRST]


def test_show_explains_a_record(ledger) -> None:
    text = ledger("show", FIRST).stdout
    assert f"record {FIRST}" in text
    assert re.search(r"\[1\] +a\.md#0", text)
    assert "Keys are rotated by hand." not in text
    assert ledger("show", "request-1").stdout == text


def test_show_without_a_name_shows_the_newest(ledger) -> None:
    assert f"record {FAILED}" in ledger("show").stdout


def test_show_with_the_prompt(ledger) -> None:
    assert "Keys are rotated by hand." in ledger("show", FIRST, "--prompt").stdout


def test_show_as_json(ledger) -> None:
    assert json.loads(ledger("show", FIRST, "--json").stdout)["response"]["evidence"][0]["document_id"] == "a.md"


def test_diff(ledger) -> None:
    text = ledger("diff", FIRST, DEGRADED).stdout
    assert re.search(r'response\.profile +"default" +"support"', text)
    assert re.search(r"b\.md#0 · b\.md > Keys +out: budget +\[1\] whole, 6 tokens", text)
    assert json.loads(ledger("diff", FIRST, DEGRADED, "--json").stdout)["passages"][0]["passage_id"] == "b.md#0"


def test_replay(ledger) -> None:
    text = ledger("replay", FIRST, "--profile", "default@0011223344556677", "--present-corpus").stdout
    assert re.search(r'response\.profile_version +- +"0011223344556677"', text)
    assert re.search(r'response\.corpus_version +"7" +"8"', text)
    assert re.search(r"b\.md#0 .* out: budget +\[2\] whole", text)
    assert json.loads(ledger("replay", FIRST, "--json").stdout)["response"]["corpus_version"] == "7"


def test_what_is_not_there_is_said_in_a_sentence(ledger) -> None:
    with pytest.raises(ScicError, match="no such record"):
        ledger("show", "unknown")
    with pytest.raises(ScicError, match="holds no record"):
        ledger("show", key="empty")
    assert rows(ledger("list", key="empty")) == []
