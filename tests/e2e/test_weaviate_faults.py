"""A mesh on a real Weaviate that dies, hangs or takes no writes: every question is answered, and nothing is lost."""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
import signal
import urllib.request
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from scic import Client, ScicError
from scic.gateway.v1 import context_service_pb2 as pb
from scic.gateway.v1 import corpus_service_pb2 as corpus
from scic.type.v1 import degradation_pb2
from tests.e2e.load import ingest, load, notes
from tests.laptop import LaptopMesh, kill, start_mesh
from tests.waiting import LONG, eventually
from tests.weaviate import required_program

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

pytestmark = pytest.mark.e2e

QUESTION = "Which value does paragraph 0 of note 7 hold?"
INDEXED = corpus.IngestDocumentsResponse.OUTCOME_INDEXED
UNCHANGED = corpus.IngestDocumentsResponse.OUTCOME_UNCHANGED
FAILED = corpus.IngestDocumentsResponse.OUTCOME_FAILED
SELECT = degradation_pb2.STAGE_SELECT
PRIMARY = pb.SourceReport.RUNG_PRIMARY
TENANTS = ("killed weaviate", "killed valkey", "read-only", "undisturbed")
VICTIMS = ("weaviate", "valkey")


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LaptopMesh]:
    """A mesh on Weaviate that each test breaks and leaves healthy."""
    required_program()
    running = start_mesh(tmp_path_factory.mktemp("mesh"), [_tenant(name) for name in TENANTS], store="weaviate")
    try:
        assert asyncio.run(_first_documents(running)) == {INDEXED}
        yield running
    finally:
        running.down()


async def _first_documents(mesh: LaptopMesh) -> set[Any]:
    async with mesh.client() as client:
        return {result.outcome async for result in client.ingest_documents(notes(40))}


def _tenant(name: str) -> str:
    return name.replace(" ", "-")


async def test_kill_9_of_weaviate_under_load_costs_quality_and_no_answer(broken: LaptopMesh) -> None:
    async with load(broken, evidence_always=False) as seen:
        await seen.more(50)
        assert set(seen.rungs) == {"PRIMARY"}
        # Several times, since the supervisor has it back within seconds.
        for _ in range(3):
            kill(broken.records("weaviate"))
            await seen.more_stand_ins(10)
            await eventually("Weaviate runs again", broken.is_healthy)
        assert "SELECT" in {name.partition(" ")[0] for name in seen.degradations}
        answered = seen.rungs["PRIMARY"]
        await eventually("answers from it again", lambda: seen.rungs["PRIMARY"] > answered + 50)
    assert seen.failures == []
    async with broken.client() as client:
        await is_whole_again(client)


async def test_a_weaviate_that_hangs_is_made_up_for_within_the_deadline(broken: LaptopMesh) -> None:
    async with broken.client() as client:
        before = await ask(client, QUESTION)
        assert before.evidence, "nothing is broken yet"
        assert [report.rung for report in before.sources] == [PRIMARY] * len(before.sources)
        async with stopped(broken, "weaviate"):
            # First until their deadline, later without a search: then the breakers are open.
            for round_ in range(2):
                questions = [f"What does note {number} say in round {round_} of silence?" for number in range(12)]
                for built in await asyncio.gather(*(ask(client, question) for question in questions)):
                    assert_says_what_stood_in(built)
            again = await ask(client, QUESTION)
            assert again.evidence, "what was found before stands in"
        await is_whole_again(client)
    await eventually("all are healthy", broken.is_healthy)


@pytest.mark.parametrize("victim", VICTIMS)
async def test_kill_9_while_documents_come_in_loses_nothing_and_stores_nothing_twice(
    broken: LaptopMesh, victim: str
) -> None:
    documents = notes(160, paragraphs=2)
    seen: dict[str, Any] = {}
    async with broken.client(_tenant(f"killed {victim}")) as client:
        first = asyncio.create_task(ingest(client, documents, seen))
        await eventually("the first results", lambda: len(seen) > 0)
        assert not first.done(), "the fault must come in the middle"
        kill(broken.records(victim))
        built = await ask(client, QUESTION)
        assert built.messages
        await asyncio.wait_for(first, LONG)
        await eventually(f"{victim} runs again", broken.is_healthy)
        await can_be_read_again(client)
        stored = {name for name, outcome in seen.items() if outcome in {INDEXED, UNCHANGED}}
        assert stored <= set(await listed(client))

        again = await ingested_in_the_end(client, documents)
        assert {name for name in stored if again[name] != UNCHANGED} == set()
        assert sorted(await listed(client)) == sorted(document.document_id for document in documents)
        async with broken.client(_tenant("undisturbed")) as other:
            await ingested_in_the_end(other, documents)
            assert await counts(client) == await counts(other)
        built = await ask(client, "Which value does paragraph 1 of note 57 hold?")
        assert "57001" in built.messages[-2].content


async def test_a_read_only_weaviate_answers_and_its_documents_fail_until_it_takes_them(broken: LaptopMesh) -> None:
    async with broken.client(_tenant("read-only")) as client:
        assert set((await ingested_in_the_end(client, notes(8))).values()) == {INDEXED}
        await asyncio.to_thread(set_shards, broken, "READONLY")
        try:
            unchanged: dict[str, Any] = {}
            await ingest(client, notes(8), unchanged)
            assert set(unchanged.values()) == {UNCHANGED}, "what needs no write is not refused"
            refused: dict[str, Any] = {}
            await ingest(client, notes(16)[8:], refused)
            assert set(refused.values()) == {FAILED}
            assert len(await listed(client)) == 8
            built = await ask(client, QUESTION)
            assert [report.rung for report in built.sources] == [PRIMARY] * len(built.sources)
            assert "7000" in built.messages[-2].content
        finally:
            await asyncio.to_thread(set_shards, broken, "READY")
        after = await ingested_in_the_end(client, notes(16))
        assert {after[f"note-{number}.md"] for number in range(8)} == {UNCHANGED}
        assert sorted(await listed(client)) == sorted(document.document_id for document in notes(16))


async def test_without_valkey_weaviate_goes_on_answering(broken: LaptopMesh) -> None:
    async with broken.client() as client:
        await is_whole_again(client)
    async with load(broken) as seen:
        await seen.more(20)
        async with stopped(broken, "valkey"):
            await eventually("answers without the cache", lambda: seen.cache["UNAVAILABLE"] > 50)
        kill(broken.records("valkey"))
        await seen.more(50)
        await eventually("Valkey runs again", broken.is_healthy)
    assert seen.failures == []
    assert "SELECT" not in {name.partition(" ")[0] for name in seen.degradations}


@asynccontextmanager
async def stopped(mesh: LaptopMesh, service: str) -> AsyncIterator[None]:
    """Nothing of this service moves as long as the context lasts."""
    kill(mesh.records(service), signal.SIGSTOP)
    try:
        yield
    finally:
        kill(mesh.records(service), signal.SIGCONT)


async def ask(client: Client, question: str) -> pb.BuildContextResponse:
    return await client.build_context(question, max_tokens=600, timeout=8)


async def is_whole_again(client: Client) -> None:
    numbers = itertools.count()
    name = secrets.token_hex(4)

    async def is_clean() -> bool:
        # Never the same, which the cache would answer.
        built = await ask(client, f"What does note 1 say now, asked {next(numbers)} times since {name}?")
        return bool(built.evidence) and not built.degradations

    # Gateways and selectors have breakers of their own, which close when each is asked.
    for _ in range(12):
        await eventually("answers are whole again", is_clean)


async def can_be_read_again(client: Client) -> None:
    """Waits for breakers and connections, which find a server again after it is ready; a list has no ladder."""

    async def is_readable() -> bool:
        try:
            await client.get_corpus_stats()
        except ScicError as error:
            if error.code is not grpc.StatusCode.UNAVAILABLE:
                raise
            return False
        return True

    # Each gateway has a breaker of its own, and takes its turn.
    for _ in range(4):
        await eventually("the corpus can be read again", is_readable)


def assert_says_what_stood_in(built: pb.BuildContextResponse) -> None:
    assert built.messages
    assert SELECT in {item.stage for item in built.degradations}
    assert built.sources
    for report in built.sources:
        assert report.rung != PRIMARY
        assert report.error_reason
        assert report.stand_in


async def ingested_in_the_end(client: Client, documents: Sequence[corpus.DocumentInput]) -> dict[str, Any]:
    """Gives the command again until nothing fails; the first outcome of each document that did not fail."""
    outcomes: dict[str, Any] = {}

    async def complete() -> bool:
        seen: dict[str, Any] = {}
        await ingest(client, documents, seen)
        for name, outcome in seen.items():
            if outcome in {INDEXED, UNCHANGED}:
                outcomes.setdefault(name, outcome)
        return set(seen.values()) <= {INDEXED, UNCHANGED}

    await eventually("all documents are in", complete)
    return outcomes


async def listed(client: Client) -> list[str]:
    return [record.document_id async for record in client.list_documents(page_size=1000)]


async def counts(client: Client) -> dict[str, tuple[int, int, int]]:
    """Documents, passages and bytes by source."""
    stats = await client.get_corpus_stats()
    return {item.source: (item.document_count, item.passage_count, item.size_bytes) for item in stats.sources}


def set_shards(mesh: LaptopMesh, status: str) -> None:
    """Makes every tenant of every collection READONLY or READY, which a full disk does too."""
    (server,) = mesh.records("weaviate")
    key = mesh.paths.weaviate_key.read_text(encoding="utf-8").strip()

    def call(path: str, body: dict[str, str] | None = None) -> Any:
        request = urllib.request.Request(
            f"http://{server.address}/v1/schema{path}",
            json.dumps(body).encode() if body else None,
            {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
            method="PUT" if body else "GET",
        )
        with urllib.request.urlopen(request, timeout=20) as reply:
            return json.loads(reply.read())

    shards = [
        (item["class"], tenant["name"])
        for item in call("")["classes"]
        if item.get("multiTenancyConfig", {}).get("enabled")
        for tenant in call(f"/{item['class']}/tenants")
    ]
    assert shards
    for collection, tenant in shards:
        call(f"/{collection}/shards/{tenant}", {"status": status})
