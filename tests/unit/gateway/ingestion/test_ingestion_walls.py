"""Taking documents in behind walls: who may write what, what the record keeps, and what is announced of it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from scic import errors
from scic.gateway.v1 import corpus_service_pb2 as pb
from scic.selector.v1 import selector_service_pb2 as selector
from services.gateway.cache.ports import CorpusChange
from services.gateway.callers.principal import Principal, Role
from services.gateway.corpus.announcer import Announcer
from services.gateway.ingestion.batch import BatchIngester
from services.gateway.ingestion.incoming import read
from services.gateway.ingestion.stream import IngestStream
from services.gateway.sources.source import BUILT_IN, Sources
from services.gateway.stages.ports import Stages
from tests.fake_cache import FakeCache
from tests.fakes import FakeComposer, FakeCompressor, FakeSelector, WordDetectors

INDEXED = pb.IngestDocumentsResponse.OUTCOME_INDEXED
UNCHANGED = pb.IngestDocumentsResponse.OUTCOME_UNCHANGED
FAILED = pb.IngestDocumentsResponse.OUTCOME_FAILED
RETENTION = timedelta(days=30)
LATER = Timestamp(seconds=4_000_000_000)


def writer(*groups: str, sees_all: bool = False) -> Principal:
    return Principal("k", "acme", frozenset({Role.WRITER}), frozenset(groups), sees_all)


class World:
    def __init__(self, executor: ThreadPoolExecutor) -> None:
        self.selector, self.compressor, self.cache = FakeSelector(), FakeCompressor(), FakeCache()
        sources = Sources([*BUILT_IN.values(), replace(BUILT_IN["docs"], name="mail", retention=RETENTION)])
        stages = Stages(self.selector, self.compressor, FakeComposer())
        self.ingester = BatchIngester(stages, Announcer(self.cache), executor, sources.holding, WordDetectors())

    async def send(self, principal: Principal, *documents: pb.DocumentInput) -> list[pb.IngestDocumentsResponse]:
        async def requests():
            for document in documents:
                yield pb.IngestDocumentsRequest(document=document)

        results = [result async for result in IngestStream(self.ingester, principal).run(requests())]
        return sorted(results, key=lambda result: result.index)

    def record(self, document_id: str) -> selector.DocumentRecord:
        return self.selector.documents["acme", document_id].record


@pytest.fixture
def world() -> Iterator[World]:
    with ThreadPoolExecutor(1) as executor:
        yield World(executor)


def document(document_id: str, text: str = "Text.", **fields: Any) -> pb.DocumentInput:
    return pb.DocumentInput(document_id=document_id, content=text.encode(), **fields)


def refusal(result: pb.IngestDocumentsResponse) -> tuple[int, str, list[str]]:
    error = errors.from_status(result.error)
    return result.outcome, error.reason, [violation.field for violation in error.field_violations]


async def test_groups_subjects_and_expiry_reach_the_record(world: World) -> None:
    await world.send(
        writer("hr"), document("a", acl_groups=["hr", "board"], subjects=["Ola", "Piotr"], expire_time=LATER)
    )
    record = world.record("a")
    assert list(record.acl_groups) == ["hr", "board"]
    assert list(record.subjects) == ["Ola", "Piotr"]
    assert record.expire_time == LATER


@pytest.mark.parametrize(
    ("principal", "groups", "taken"),
    [
        pytest.param(writer("hr"), ["hr"], True, id="its own"),
        pytest.param(writer("hr"), ["board", "hr"], True, id="one of them its own"),
        pytest.param(writer("hr"), [], True, id="for everybody"),
        pytest.param(writer(), [], True, id="no groups, for everybody"),
        pytest.param(writer(sees_all=True), ["board"], True, id="sees all"),
        pytest.param(writer("hr"), ["board"], False, id="another's"),
        pytest.param(writer(), ["board"], False, id="no groups"),
    ],
)
async def test_nobody_writes_what_he_could_not_see(
    world: World, principal: Principal, groups: list[str], taken: bool
) -> None:
    results = await world.send(principal, document("a", acl_groups=groups), document("b"))
    assert results[1].outcome == INDEXED
    if taken:
        assert results[0].outcome == INDEXED
    else:
        assert refusal(results[0]) == (FAILED, "DOCUMENT_FORBIDDEN", ["document.acl_groups"])
        assert ("acme", "a") not in world.selector.documents


async def test_an_id_of_an_invisible_document_is_refused_and_the_rest_goes_in(world: World) -> None:
    await world.send(writer("hr"), document("secret", "Ours.", acl_groups=["hr"]))
    before = world.record("secret").content_hash
    results = await world.send(writer("sales"), document("a"), document("secret", "Theirs."), document("b"))
    assert [result.outcome for result in results] == [INDEXED, FAILED, INDEXED]
    assert refusal(results[1]) == (FAILED, "DOCUMENT_FORBIDDEN", ["document.document_id"])
    assert world.record("secret").content_hash == before
    assert len(world.compressor.prepared) == 4, "what was prepared is not prepared again"


async def test_an_invisible_document_is_not_said_to_be_unchanged(world: World) -> None:
    """Else one could learn whether it holds a certain text."""
    await world.send(writer("hr"), document("secret", "Ours.", acl_groups=["hr"]))
    again = document("secret", "Ours.", acl_groups=["hr", "sales"])
    assert (await world.send(writer("sales"), again))[0].outcome == FAILED
    assert (await world.send(writer("hr"), document("secret", "Ours.", acl_groups=["hr"])))[0].outcome == UNCHANGED


async def test_a_single_refused_document_is_answered_alike(world: World) -> None:
    await world.send(writer("hr"), document("secret", acl_groups=["hr"]))
    (result,) = await world.send(writer(), document("secret"))
    assert refusal(result) == (FAILED, "DOCUMENT_FORBIDDEN", ["document.document_id"])


@pytest.mark.parametrize(
    ("sent", "lives"),
    [
        pytest.param(document("a", source="mail"), RETENTION, id="by its source"),
        pytest.param(document("a", source="docs"), None, id="for good"),
        pytest.param(document("a", source="mail", expire_time=LATER), "as sent", id="its own time wins"),
    ],
)
async def test_a_document_lives_as_long_as_it_or_its_source_says(
    world: World, sent: pb.DocumentInput, lives: timedelta | str | None
) -> None:
    before = datetime.now(UTC)
    await world.send(writer(), sent)
    after = datetime.now(UTC)
    record = world.record("a")
    if isinstance(lives, timedelta):
        assert before + lives <= record.expire_time.ToDatetime(UTC) <= after + lives
    else:
        assert record.HasField("expire_time") is (lives == "as sent")
        assert not lives or record.expire_time == LATER


async def test_a_retention_does_not_make_an_unchanged_document_change(world: World) -> None:
    await world.send(writer(), document("a", source="mail"))
    assert (await world.send(writer(), document("a", source="mail")))[0].outcome == UNCHANGED


async def test_what_is_replaced_is_announced_by_name_and_what_is_new_is_not(world: World) -> None:
    await world.send(writer(), document("a"), document("b"))
    await world.send(writer(), document("a", "Other text."), document("c"))
    await world.send(writer(), document("d"))
    assert [change for _, change in world.cache.changes] == [
        CorpusChange(0, 1),
        CorpusChange(1, 2, ["a", "c"]),  # which of the two it was is not said
        CorpusChange(2, 3),
    ]
    assert world.cache.floors == {}


async def test_each_result_names_the_version_that_holds_the_document(world: World) -> None:
    (stored,) = await world.send(writer(), document("a"))
    await world.send(writer(), document("b"))
    (unchanged,) = await world.send(writer(), document("a"))
    (failed,) = await world.send(writer(), document("a", source="no such source"))
    assert [one.corpus_version for one in (stored, unchanged, failed)] == [1, 2, 0]


async def test_what_is_unchanged_may_have_replaced_something_that_nobody_announced(world: World) -> None:
    await world.send(writer(), document("a"))
    world.selector.version += 1  # a write whose reply was lost
    await world.send(writer(), document("a"))
    assert world.cache.floors["acme"] == 2


class LeftError(Exception):
    """Who writes may do so no longer."""


async def test_who_may_no_longer_write_is_asked_right_before_each_write(world: World) -> None:
    asked = 0

    async def before_write() -> None:
        nonlocal asked
        asked += 1
        assert len(world.compressor.prepared) == asked, "all that takes long is done"
        if asked == 2:
            raise LeftError

    async def send(name: str) -> None:
        request = pb.IngestDocumentsRequest(document=document(name))
        batch = [read(0, request, writer(), world.ingester.sources)]
        await world.ingester.ingest(writer(), batch, before_write=before_write)

    await send("a")
    with pytest.raises(LeftError):
        await send("b")
    assert [name for _, name in world.selector.documents] == ["a"]
