"""What was acknowledged is there after kill -9 of anything; what was stopped leaves no process."""

import asyncio
import json
import signal
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import grpc
import psutil
import pytest

from scic import ScicError
from scic.errors import from_status
from scic.gateway.v1 import corpus_service_pb2 as pb
from tests.e2e.load import ingest, notes
from tests.laptop import ROOT, LaptopMesh, kill, prepare_mesh
from tests.waiting import LONG, eventually

pytestmark = pytest.mark.e2e

QUESTION = "How does a service stop without losing requests?"
INDEXED = pb.IngestDocumentsResponse.OUTCOME_INDEXED
UNCHANGED = pb.IngestDocumentsResponse.OUTCOME_UNCHANGED


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LaptopMesh]:
    mesh = prepare_mesh(tmp_path_factory.mktemp("mesh"), tenants=("one", "two", "three"))
    yield mesh
    mesh.down()


@pytest.fixture
def durable(kept: LaptopMesh) -> LaptopMesh:
    """A running mesh, whatever the test before did to it."""
    if not kept.processes():
        kept.up()
    return kept


def answer(mesh: LaptopMesh) -> dict[str, Any]:
    """What `scic context --json` prints."""
    printed: dict[str, Any] = json.loads(mesh.scic("context", QUESTION, "--max-tokens", "1500", "--json").stdout)
    return printed


async def all_gone(mesh: LaptopMesh) -> None:
    await eventually("no process is left", lambda: not mesh.processes())


async def test_after_kill_9_of_every_process_the_same_question_gets_the_same_answer(durable: LaptopMesh) -> None:
    paths = [str(ROOT / name) for name in ("docs", "services/chassis", "examples/conversation.jsonl")]
    assert " 0 failed" in durable.scic("ingest", *paths).stdout
    before = answer(durable)
    assert before["evidence"]
    assert not before["degradations"]

    processes = durable.processes()
    assert len(processes) == 13, "twelve and the supervisor"
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # it died with its supervisor
            process.kill()
    await all_gone(durable)

    durable.up()
    after = answer(durable)
    assert after["messages"] == before["messages"]
    assert after["corpus_version"] == before["corpus_version"]
    assert durable.scic("ingest", *paths).stdout.startswith("0 indexed, "), "everything is there"
    assert durable.status()["healthy"]


@pytest.mark.parametrize(
    ("tenant", "count"), [pytest.param("one", 1, id="one selector"), pytest.param("two", 2, id="both selectors")]
)
async def test_kill_9_of_selectors_while_documents_come_in_loses_nothing(
    durable: LaptopMesh, tenant: str, count: int
) -> None:
    documents = notes(160, paragraphs=2)
    seen: dict[str, Any] = {}
    victims = durable.records("selector")[:count]
    async with durable.client(tenant) as client:
        first = asyncio.create_task(ingest(client, documents, seen))
        await eventually("half of the results", lambda: len(seen) >= len(documents) // 2)
        assert not first.done(), "the fault must come in the middle"
        kill(victims)
        await asyncio.wait_for(first, LONG)
        await eventually("the selectors run again", durable.is_healthy)
        stored = {name for name, outcome in seen.items() if outcome in {INDEXED, UNCHANGED}}
        listed = {record.document_id async for record in client.list_documents(page_size=1000)}
        assert stored <= listed
        if count == 1:
            assert stored == {document.document_id for document in documents}, "the other one takes over"

        again: dict[str, Any] = {}
        await ingest(client, documents, again)
        assert set(again.values()) <= {INDEXED, UNCHANGED}
        assert {name for name in stored if again[name] != UNCHANGED} == set()
        assert {record.document_id async for record in client.list_documents(page_size=1000)} == {
            document.document_id for document in documents
        }
        built = await client.build_context("Which value does paragraph 1 of note 57 hold?", max_tokens=400)
        assert "57001" in built.messages[-2].content


async def test_a_corrupt_corpus_is_said_to_be_corrupt_and_left_as_it_is(durable: LaptopMesh) -> None:
    async with durable.client("three") as other:
        await ingest(other, notes(3), {})
    # After the tests before, a write-ahead log stands beside it: SQLite would answer from that.
    durable.down()
    corpus = durable.paths.selector / "corpus" / "laptop.db"
    garbage = b"this is no corpus " * 1000
    corpus.write_bytes(garbage)
    durable.up()
    sentence = "scic: the tenant's corpus cannot be read; nothing of it was changed\n"

    for command in (("context", QUESTION), ("plan", QUESTION)):
        refused = durable.scic(*command, check=False)
        assert (refused.returncode, refused.stdout, refused.stderr) == (2, "", sentence)
    async with durable.client() as client:
        with pytest.raises(ScicError) as caught:
            await client.build_context(QUESTION, max_tokens=500)
        assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.DATA_LOSS, "CORRUPT_CORPUS")
        with pytest.raises(ScicError) as caught:
            await client.get_document("a.md")
        assert caught.value.reason == "CORRUPT_CORPUS"
        with pytest.raises(ScicError) as caught:
            await client.delete_documents(["a.md"])
        assert caught.value.reason == "CORRUPT_CORPUS"
        results = [result async for result in client.ingest_documents(notes(3))]
        assert {from_status(result.error).reason for result in results} == {"CORRUPT_CORPUS"}
    async with durable.client("three") as other:
        built = await other.build_context("Which value does paragraph 0 of note 2 hold?", max_tokens=400)
        assert "value 2000 " in built.messages[-2].content
        assert not built.degradations
    assert corpus.read_bytes() == garbage
    assert durable.status()["healthy"], "one tenant's corpus is not the mesh"


async def test_down_leaves_no_process(durable: LaptopMesh) -> None:
    assert len(durable.processes()) == 13
    stopped = durable.scic("down")
    assert (stopped.stdout, stopped.stderr) == ("The mesh has stopped.\n", "")
    await all_gone(durable)
    assert not durable.paths.state.exists()
    nothing = durable.scic("down")
    assert nothing.stdout.startswith("No mesh runs in ")
    assert durable.scic("status", check=False).returncode == 2


async def test_ctrl_c_leaves_no_process(kept: LaptopMesh) -> None:
    kept.down()
    with kept.popen("up", "--port", str(kept.port)) as foreground:
        try:

            async def is_up() -> bool:
                if foreground.poll() is not None:
                    pytest.fail(f"it ended: {foreground.communicate()}")
                return kept.paths.state.exists() and kept.state.pid == foreground.pid and kept.state.ready

            await eventually("the mesh is up", is_up)
            assert kept.status()["healthy"]
            foreground.send_signal(signal.SIGINT)
            output, errors = await asyncio.to_thread(foreground.communicate, timeout=LONG)
        except BaseException:
            foreground.kill()
            raise
    assert foreground.returncode == 0
    assert "Traceback" not in output + errors
    await all_gone(kept)
