"""Taking documents in: one result each, durable before it is reported, bad ones named, order of equal ids kept."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from scic import errors
from scic.gateway.v1 import corpus_service_pb2 as pb
from services.gateway.cache.ports import CacheEntry, CacheKey, Freshness, Hit, Unverified
from services.gateway.callers.principal import Principal, Role
from services.gateway.corpus.announcer import Announcer
from services.gateway.ingestion.batch import BatchIngester
from services.gateway.ingestion.stream import IngestStream
from services.gateway.sources.source import BUILT_IN
from services.gateway.stages.ports import Stages
from services.gateway.stages.stage_error import StageError
from tests.fake_cache import FakeCache
from tests.fakes import FakeComposer, FakeCompressor, FakeSelector, WordDetectors
from tests.waiting import eventually

Outcome = pb.IngestDocumentsResponse
INDEXED, UNCHANGED, FAILED = Outcome.OUTCOME_INDEXED, Outcome.OUTCOME_UNCHANGED, Outcome.OUTCOME_FAILED


WRITER = Principal("k", "acme", frozenset({Role.WRITER}), frozenset({"hr"}))


class World:
    def __init__(self, executor: ThreadPoolExecutor) -> None:
        self.selector, self.compressor, self.cache = FakeSelector(), FakeCompressor(), FakeCache()
        stages = Stages(self.selector, self.compressor, FakeComposer())
        self.announcer = Announcer(self.cache, retry_seconds=0)
        self.ingester = BatchIngester(stages, self.announcer, executor, BUILT_IN.holding, WordDetectors())

    async def send(self, *documents: pb.DocumentInput) -> list[pb.IngestDocumentsResponse]:
        async def requests():
            for document in documents:
                yield pb.IngestDocumentsRequest(document=document)

        results = [result async for result in IngestStream(self.ingester, WRITER).run(requests())]
        return sorted(results, key=lambda result: result.index)


@pytest.fixture
def world():
    with ThreadPoolExecutor(1) as executor:
        yield World(executor)


def markdown(document_id: str, text: str | bytes = "# Title\n\nSome text.", **fields: Any) -> pb.DocumentInput:
    content = text if isinstance(text, bytes) else text.encode()
    return pb.DocumentInput(document_id=document_id, content=content, content_type="text/markdown", **fields)


async def test_each_document_gets_one_result_and_can_be_found(world):
    results = await world.send(*(markdown(f"d{n}") for n in range(70)))
    assert [(r.index, r.document_id, r.outcome) for r in results] == [(n, f"d{n}", INDEXED) for n in range(70)]
    assert len(world.selector.documents) == 70
    stored = world.selector.documents["acme", "d0"]
    passage = stored.passages[0].passage
    assert passage.prepared == passage.text.encode()  # what Prepare made of this text, not of another
    assert passage.title_path[0] == "Title"
    assert stored.record.source == "docs"


async def test_sending_again_does_no_work(world):
    await world.send(markdown("a"))
    prepared = len(world.compressor.prepared)
    results = await world.send(markdown("a"))
    assert [(r.outcome, r.passage_count) for r in results] == [(UNCHANGED, 1)]
    assert len(world.compressor.prepared) == prepared


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(markdown("a", "# Title\n\nOther text."), id="content"),
        pytest.param(markdown("a", title="T"), id="title"),
        pytest.param(markdown("a", metadata={"team": "x"}), id="metadata"),
        pytest.param(markdown("a", source="history"), id="source"),
        pytest.param(markdown("a", acl_groups=["hr"]), id="groups"),
        pytest.param(markdown("a", subjects=["Ola"]), id="subjects"),
        pytest.param(markdown("a", expire_time=Timestamp(seconds=4_000_000_000)), id="expiry"),
    ],
)
async def test_any_change_is_indexed(world, changed):
    await world.send(markdown("a"))
    assert [r.outcome for r in await world.send(changed)] == [INDEXED]


@pytest.mark.parametrize(
    ("bad", "reason", "field"),
    [
        pytest.param(markdown("bad", b""), errors.EMPTY_DOCUMENT, "document.content", id="0 bytes"),
        pytest.param(markdown("bad", " \n "), errors.EMPTY_DOCUMENT, "document.content", id="white space"),
        pytest.param(markdown("bad", b"\xff\xfe"), errors.BROKEN_ENCODING, "document.content", id="broken UTF-8"),
        pytest.param(markdown("bad", b"a\0b"), errors.BINARY_CONTENT, "document.content", id="binary"),
        pytest.param(
            pb.DocumentInput(document_id="bad", content=b"x", content_type="image/png"),
            errors.UNSUPPORTED_CONTENT_TYPE,
            "document.content_type",
            id="content type",
        ),
        pytest.param(
            pb.DocumentInput(document_id="bad", content=b"%PDF-1.7\n\0", content_type="application/pdf"),
            errors.UNREADABLE_DOCUMENT,
            "document.content",
            id="broken PDF",
        ),
        pytest.param(markdown("bad", source="mail"), errors.UNKNOWN_SOURCE, "document.source", id="source"),
        pytest.param(
            pb.DocumentInput(document_id="bad", content=b"{", content_type="application/x-ndjson"),
            errors.MALFORMED_CONVERSATION,
            "document.content",
            id="conversation",
        ),
        pytest.param(
            markdown("bad", source="vectors"), errors.UNKNOWN_SOURCE, "document.source", id="no place to hold"
        ),
        pytest.param(markdown("bad", acl_groups=["a b"]), errors.INVALID_FIELD, "document.acl_groups[0]", id="group"),
        pytest.param(markdown("bad", acl_groups=["*"]), errors.INVALID_FIELD, "document.acl_groups[0]", id="group *"),
        pytest.param(markdown("bad", subjects=[""]), errors.INVALID_FIELD, "document.subjects[0]", id="no subject"),
        pytest.param(
            markdown("bad", expire_time=Timestamp(seconds=1)), errors.INVALID_FIELD, "document.expire_time", id="over"
        ),
        pytest.param(
            markdown("bad", expire_time=Timestamp(seconds=1 << 62)),
            errors.INVALID_FIELD,
            "document.expire_time",
            id="beyond the year 9999",
        ),
        pytest.param(
            markdown("bad", create_time=Timestamp(nanos=-1)), errors.INVALID_FIELD, "document.create_time", id="no time"
        ),
        pytest.param(markdown("", "x"), errors.INVALID_FIELD, "document.document_id", id="no id"),
        pytest.param(
            markdown("bad", b"x" * (4 * 1024 * 1024 + 1)), errors.INVALID_FIELD, "document.content", id="too large"
        ),
    ],
)
async def test_a_bad_document_is_named_and_the_rest_goes_in(world, bad, reason, field):
    results = await world.send(markdown("a"), bad, markdown("b"))
    assert [r.outcome for r in results] == [INDEXED, FAILED, INDEXED]
    error = errors.from_status(results[1].error)
    assert error.reason == reason.name
    assert [violation.field for violation in error.field_violations] == [field]
    assert set(world.selector.documents) == {("acme", "a"), ("acme", "b")}


async def test_of_two_versions_in_one_stream_the_later_wins(world):
    results = await world.send(markdown("a", "# T\n\nFirst."), markdown("b"), markdown("a", "# T\n\nSecond."))
    assert [r.outcome for r in results] == [INDEXED] * 3
    assert "Second." in world.selector.documents["acme", "a"].passages[-1].passage.text


@pytest.mark.parametrize("stage", ["selector", "compressor"])
async def test_a_stage_that_is_away_fails_the_documents_and_says_so(world, stage):
    getattr(world, stage).away = True
    results = await world.send(markdown("a"), markdown("b"))
    assert [r.outcome for r in results] == [FAILED, FAILED]
    assert {errors.from_status(r.error).reason for r in results} == {"STAGE_UNAVAILABLE"}


async def test_a_write_is_announced_before_it_is_reported(world):
    await world.send(markdown("a"))
    assert world.cache.versions["acme"] == world.selector.version


async def test_redis_away_does_not_stop_ingestion(world):
    world.cache.away = True
    assert [r.outcome for r in await world.send(markdown("a"))] == [INDEXED]


async def test_a_slow_sender_gets_its_results_at_once(world):
    got = asyncio.Event()

    async def requests():
        yield pb.IngestDocumentsRequest(document=markdown("a"))
        await got.wait()  # the second document comes only after the first one's result
        yield pb.IngestDocumentsRequest(document=markdown("b"))

    results = []
    async with asyncio.timeout(30):
        async for result in IngestStream(world.ingester, WRITER).run(requests()):
            results.append(result.document_id)
            got.set()
    assert results == ["a", "b"]


async def test_a_caller_who_leaves_leaves_no_work_behind(world):
    async def requests():
        for n in range(1000):
            yield pb.IngestDocumentsRequest(document=markdown(f"d{n}"))

    stream = IngestStream(world.ingester, WRITER).run(requests())
    await anext(stream)
    await stream.aclose()
    assert len(asyncio.all_tasks()) == 1


REPLY = CacheEntry(b"reply", 1, ["a"], 0.1)


def keep_a_reply(world: World) -> None:
    """A reply that names the document is stored, and trusted."""
    world.cache.keep("acme", CacheKey("k"), REPLY)
    world.cache.confirmed.add("acme")


async def found(world: World) -> object:
    return await world.cache.lookup("acme", CacheKey("k"), Freshness())


async def test_a_write_whose_answer_was_lost_may_have_been_made(world):
    """What is stored is given no more until the selector has said which version there is."""
    await world.send(markdown("a"))
    keep_a_reply(world)
    index = world.selector.index

    async def stores_and_breaks_off(request, *, timeout):
        await index(request, timeout=timeout)
        raise StageError("selector", "DEADLINE_EXCEEDED")

    world.selector.index = stores_and_breaks_off
    assert [r.outcome for r in await world.send(markdown("a", "# T\n\nOther."))] == [FAILED]
    assert world.selector.version == 2
    assert await found(world) == Unverified()
    await world.cache.confirm("acme", world.selector.version)
    assert await found(world) is None


async def test_a_write_that_was_not_made_ends_no_reply(world):
    await world.send(markdown("a"))
    keep_a_reply(world)

    async def breaks_off(request, *, timeout):
        raise StageError("selector", "STAGE_UNAVAILABLE")

    world.selector.index = breaks_off
    await world.send(markdown("a", "# T\n\nOther."))
    await world.cache.confirm("acme", world.selector.version)
    assert isinstance(await found(world), Hit)


@pytest.mark.parametrize("where", ["before the selector answers", "before it is announced"])
async def test_a_caller_who_leaves_after_a_write_leaves_no_reply_of_before(world, where):
    await world.send(markdown("a"))
    keep_a_reply(world)
    stored = asyncio.Event()

    def hangs_after(method):
        async def hangs(*args, **kwargs):
            if where == "before the selector answers":
                await method(*args, **kwargs)
            stored.set()
            await asyncio.Event().wait()

        return hangs

    advance = world.cache.advance
    if where == "before the selector answers":
        world.selector.index = hangs_after(world.selector.index)
    else:
        world.cache.advance = hangs_after(advance)
    async with world.announcer:
        call = asyncio.create_task(world.send(markdown("a", "# T\n\nOther.")))
        await stored.wait()
        world.cache.advance = advance
        assert len(world.cache.changes) == 1
        call.cancel()
        await eventually("it is announced", lambda: len(world.cache.changes) > 1)
    if where == "before the selector answers":
        assert await found(world) == Unverified()
    else:
        assert await found(world) is None
