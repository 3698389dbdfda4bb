"""What was acknowledged is there after kill -9 of anything; what was stopped leaves no process."""

import asyncio
import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from scic import Client, ScicError
from scic.gateway.v1 import corpus_service_pb2 as pb
from tests.e2e.load import notes
from tests.laptop import ROOT, LaptopMesh, kill, prepare_mesh
from tests.waiting import LONG, eventually

pytestmark = pytest.mark.e2e

QUESTION = "How does a service stop without losing requests?"
INDEXED = pb.IngestDocumentsResponse.OUTCOME_INDEXED
UNCHANGED = pb.IngestDocumentsResponse.OUTCOME_UNCHANGED


@pytest.fixture(scope="module")
def durable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LaptopMesh]:
    """A mesh that each test leaves healthy, whatever happened to it."""
    running = prepare_mesh(tmp_path_factory.mktemp("mesh"), tenants=("one", "two"))
    running.up()
    yield running
    running.down()


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
    assert len(processes) == 12, "eleven and the supervisor"
    for process in processes:
        process.kill()
    await all_gone(durable)

    durable.up()
    after = answer(durable)
    assert after["messages"] == before["messages"]
    assert after["corpus_version"] == before["corpus_version"]
    assert durable.scic("ingest", *paths).stdout.startswith("0 indexed, "), "everything is there"
    assert durable.status()["healthy"]


async def acknowledged(client: Client, documents: list[pb.DocumentInput], seen: dict[str, Any]) -> None:
    """Sends documents and notes each result; ends when the stream breaks off."""
    try:
        async for result in client.ingest_documents(documents):
            seen[result.document_id] = result.outcome
    except ScicError as error:
        seen[""] = repr(error)


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
        first = asyncio.create_task(acknowledged(client, documents, seen))
        await eventually("the first results", lambda: len(seen) > 0)
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
        await acknowledged(client, documents, again)
        assert set(again.values()) <= {INDEXED, UNCHANGED}
        assert {name for name in stored if again[name] != UNCHANGED} == set()
        assert {record.document_id async for record in client.list_documents(page_size=1000)} == {
            document.document_id for document in documents
        }
        built = await client.build_context("Which value does paragraph 1 of note 57 hold?", max_tokens=400)
        assert "57001" in built.messages[-2].content


async def test_down_leaves_no_process(durable: LaptopMesh) -> None:
    assert len(durable.processes()) == 12
    stopped = durable.scic("down")
    assert (stopped.stdout, stopped.stderr) == ("The mesh has stopped.\n", "")
    await all_gone(durable)
    assert not durable.paths.state.exists()
    nothing = durable.scic("down")
    assert nothing.stdout.startswith("No mesh runs in ")
    assert durable.scic("status", check=False).returncode == 2


async def test_ctrl_c_leaves_no_process(durable: LaptopMesh) -> None:
    durable.down()
    with durable.popen("up", "--port", str(durable.port)) as foreground:
        try:

            async def is_up() -> bool:
                if foreground.poll() is not None:
                    pytest.fail(f"it ended: {foreground.communicate()}")
                return durable.paths.state.exists() and durable.state.pid == foreground.pid and durable.state.ready

            await eventually("the mesh is up", is_up)
            assert answer(durable)["evidence"]
            foreground.send_signal(signal.SIGINT)
            output, errors = await asyncio.to_thread(foreground.communicate, timeout=LONG)
        except BaseException:
            foreground.kill()
            raise
    assert foreground.returncode == 0
    assert "Traceback" not in output + errors
    await all_gone(durable)
