"""Processes die, hang and are restarted while questions come in: nobody gets an error."""

import asyncio
import signal
from collections.abc import Iterator

import pytest

from scic import Client
from scic.gateway.v1 import context_service_pb2 as pb
from scic.gateway.v1 import corpus_service_pb2 as corpus
from scic.type.v1 import degradation_pb2
from tests.e2e.load import load, notes
from tests.laptop import SERVICES, LaptopMesh, kill, start_mesh
from tests.waiting import eventually

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LaptopMesh]:
    """A mesh that each test breaks and leaves healthy."""
    running = start_mesh(tmp_path_factory.mktemp("mesh"))
    asyncio.run(_ingest(running))
    yield running
    running.down()


async def _ingest(mesh: LaptopMesh) -> None:
    async with mesh.client() as client:
        results = [result async for result in client.ingest_documents(notes(40))]
    assert {result.outcome for result in results} == {corpus.IngestDocumentsResponse.OUTCOME_INDEXED}


@pytest.mark.parametrize("service", SERVICES)
async def test_kill_9_of_a_replica_under_load_fails_no_request(broken: LaptopMesh, service: str) -> None:
    victim = broken.records(service)[0]
    async with load(broken) as seen:
        await seen.more(50)
        kill([victim])
        await seen.more(50)

        async def restarted() -> bool:
            return broken.records(service)[0].pid != victim.pid and await broken.is_healthy()

        await eventually(f"{victim.service} {victim.replica} runs again", restarted)
        await seen.more(100)
    seen.assert_nothing_failed(degraded_at_most=2)


async def test_a_rolling_restart_of_everything_under_load_fails_no_request(broken: LaptopMesh) -> None:
    before = {record.pid for service in SERVICES for record in broken.records(service)}
    async with load(broken) as seen:
        await seen.more(20)
        await asyncio.to_thread(broken.scic, "restart")
        await seen.more(50)
    after = {record.pid for service in SERVICES for record in broken.records(service)}
    assert len(after) == 2 * len(SERVICES)
    assert before.isdisjoint(after)
    assert await broken.is_healthy()
    seen.assert_nothing_failed()


async def test_without_valkey_answers_go_on_and_with_it_they_are_cached_again(broken: LaptopMesh) -> None:
    (victim,) = broken.records("valkey")
    async with load(broken, every=5) as seen:
        await eventually("hits", lambda: seen.cache["HIT"] > 20)
        # Several times, since the supervisor has it back within a second.
        for _ in range(3):
            kill(broken.records("valkey"))
            await seen.more(30)
            await eventually("Valkey runs again", broken.is_healthy)
        hits = seen.cache["HIT"]
        await eventually("hits again", lambda: seen.cache["HIT"] > hits + 20)
    assert broken.records("valkey")[0].pid != victim.pid
    seen.assert_nothing_failed()


async def test_with_a_valkey_that_hangs_answers_go_on(broken: LaptopMesh) -> None:
    async with load(broken, every=5) as seen:
        await eventually("hits", lambda: seen.cache["HIT"] > 20)
        kill(broken.records("valkey"), signal.SIGSTOP)
        try:
            await eventually("answers without it", lambda: seen.cache["UNAVAILABLE"] > 100)
        finally:
            kill(broken.records("valkey"), signal.SIGCONT)
        hits = seen.cache["HIT"]
        await eventually("hits again", lambda: seen.cache["HIT"] > hits + 20)
    seen.assert_nothing_failed()


async def test_compressors_that_hang_cost_quality_and_no_answer(broken: LaptopMesh) -> None:
    async with broken.client() as client:
        kill(broken.records("compressor"), signal.SIGSTOP)
        try:
            # First until their deadline, later without a call: then the gateways' breakers are open.
            for round_ in range(2):
                questions = [f"What does note {number} say in round {round_} of silence?" for number in range(12)]
                for built in await asyncio.gather(*(ask(client, question, timeout=4) for question in questions)):
                    assert {item.stage for item in built.degradations} == {degradation_pb2.STAGE_COMPRESS}
                    assert {item.reason for item in built.degradations} <= {"DEADLINE_EXCEEDED", "STAGE_UNAVAILABLE"}
                    assert built.evidence
                    assert built.tokens.total <= 600
        finally:
            kill(broken.records("compressor"), signal.SIGCONT)

        async def is_clean() -> bool:
            return not (await ask(client, "What does note 1 say now?", timeout=20)).degradations

        await eventually("answers are whole again", is_clean)
    await eventually("all are healthy", broken.is_healthy)


async def ask(client: Client, question: str, *, timeout: float) -> pb.BuildContextResponse:
    return await client.build_context(question, max_tokens=600, timeout=timeout)
