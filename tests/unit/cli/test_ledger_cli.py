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
from tests.unit.cli.ledger_server import RECORDS, ULID

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
    assert f"\nrecord {FIRST}\n" in text
    assert re.search(r"\[1\] +a\.md#0", text)
    assert "Keys are rotated by hand." not in text
    assert ledger("show", "request-1").stdout == text


def test_show_without_a_name_shows_the_newest(ledger) -> None:
    text = ledger("show").stdout
    assert text.startswith("request request-3 failed: BUDGET_TOO_SMALL ─")
    assert f"record {FAILED}\n" in text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param(FIRST.upper(), FIRST, id="a record in upper case"),
        pytest.param(ULID, DEGRADED, id="a request whose name is a ULID"),
    ],
)
def test_a_ulid_in_upper_case_is_found(ledger, name: str, shown: str) -> None:
    assert f"record {shown}\n" in ledger("show", name).stdout
    assert ledger("diff", name, shown).stdout == "nothing differs\n"


def test_show_with_the_prompt(ledger) -> None:
    assert "Keys are rotated by hand." in ledger("show", FIRST, "--prompt").stdout


def test_show_as_json(ledger) -> None:
    assert json.loads(ledger("show", FIRST, "--json").stdout)["response"]["evidence"][0]["document_id"] == "a.md"


def test_diff(ledger) -> None:
    text = ledger("diff", FIRST, DEGRADED).stdout
    assert "response.profile: default → support\n" in text
    assert re.search(r"b\.md#0 · b\.md > Keys +out: budget +\[1\] whole, 6 tokens", text)
    assert json.loads(ledger("diff", FIRST, DEGRADED, "--json").stdout)["passages"][0]["passage_id"] == "b.md#0"


def test_replay(ledger) -> None:
    text = ledger("replay", FIRST, "--profile", "default@0011223344556677", "--present-corpus").stdout
    assert "response.profile_version: (not set) → 0011223344556677\n" in text
    assert "response.corpus_version: 7 → 8\n" in text
    assert re.search(r"b\.md#0 .* out: budget +\[2\] whole", text)
    assert json.loads(ledger("replay", FIRST, "--json").stdout)["response"]["corpus_version"] == "7"


def test_replay_without_a_name_takes_the_newest_whose_text_was_kept(ledger) -> None:
    done = ledger("replay", "--present-corpus")
    assert done.stderr == f"record {DEGRADED}: How do I rotate the keys?\n"
    assert "response.corpus_version: 7 → 8\n" in done.stdout


def test_where_the_corpus_has_changed_the_option_that_helps_is_named(ledger) -> None:
    with pytest.raises(ScicError, match=r"^the corpus has changed; --present-corpus searches it") as gone:
        ledger("replay", DEGRADED)
    assert (gone.value.reason, dict(gone.value.metadata)) == ("CORPUS_VERSION_GONE", {"recorded": "7"})


@pytest.mark.parametrize(
    ("arguments", "key", "sentence"),
    [
        pytest.param(("show", "unknown"), "admin", "there is no such record: unknown", id="show"),
        pytest.param(("show", ULID), "empty", f"there is no such record: {ULID}", id="upper case"),
        pytest.param(("replay", "unknown"), "admin", "there is no such record: unknown", id="replay"),
        pytest.param(("diff", FIRST, "b"), "admin", f"there is no such record: {FIRST} or b", id="diff"),
        pytest.param(("show",), "empty", "the ledger holds no record that the key may see", id="none"),
        pytest.param(("replay",), "empty", "the ledger holds no record that can be run again", id="none to replay"),
        pytest.param(("list",), "unknown", "the API key is not known", id="list"),
    ],
)
def test_what_is_not_there_is_said_in_a_sentence(ledger, arguments: tuple[str, ...], key: str, sentence: str) -> None:
    with pytest.raises(ScicError, match=f"^{sentence}$"):
        ledger(*arguments, key=key)


@pytest.mark.parametrize(
    ("options", "key", "sentence"),
    [
        pytest.param((), "empty", "no records", id="none"),
        pytest.param(("-p", "billing@1"), "admin", "no records of billing@1", id="none of a profile"),
        pytest.param(("--troubled", "-p", "x"), "admin", "no troubled records of x", id="none in trouble"),
        pytest.param(("--json", "-p", "x"), "admin", "no records of x", id="JSON"),
    ],
)
def test_an_empty_list_is_said_beside_the_output(ledger, options: tuple[str, ...], key: str, sentence: str) -> None:
    done = ledger("list", *options, key=key)
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", f"{sentence}\n")
