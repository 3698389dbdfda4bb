"""How far a document is trusted: by its key and its source, never more than both allow."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from scic import errors
from scic.gateway.v1 import corpus_service_pb2 as pb
from scic.type.v1.trust_pb2 import TRUST_LABEL_TRUSTED as TRUSTED
from scic.type.v1.trust_pb2 import TRUST_LABEL_UNSPECIFIED as SILENT
from scic.type.v1.trust_pb2 import TRUST_LABEL_UNTRUSTED as UNTRUSTED
from services.gateway.callers.principal import Principal, Role
from services.gateway.corpus.announcer import Announcer
from services.gateway.guard.detect import default_detectors
from services.gateway.ingestion.batch import BatchIngester
from services.gateway.ingestion.stream import IngestStream
from services.gateway.sources.source import BUILT_IN
from services.gateway.stages.ports import Stages
from tests.fake_cache import FakeCache
from tests.fakes import FakeComposer, FakeCompressor, FakeSelector

VOUCHED = Principal("team", "acme", frozenset({Role.WRITER}), trusted=True)
STRANGER = replace(VOUCHED, key_id="forms", trusted=False)


class World:
    def __init__(self, executor: ThreadPoolExecutor) -> None:
        self.selector = FakeSelector()
        stages = Stages(self.selector, FakeCompressor(), FakeComposer())
        self.ingester = BatchIngester(stages, Announcer(FakeCache()), executor, BUILT_IN.holding, default_detectors())

    async def send(self, principal: Principal, **fields: Any) -> pb.IngestDocumentsResponse:
        async def requests():
            yield pb.IngestDocumentsRequest(document=pb.DocumentInput(document_id="a", content=b"Text.", **fields))

        (result,) = [result async for result in IngestStream(self.ingester, principal).run(requests())]
        return result

    @property
    def stored(self):
        return self.selector.documents["acme", "a"]


@pytest.fixture
def world():
    with ThreadPoolExecutor(1) as executor:
        yield World(executor)


@pytest.mark.parametrize(
    ("principal", "source", "asked", "label"),
    [
        pytest.param(VOUCHED, "docs", SILENT, TRUSTED, id="a trusted key and source"),
        pytest.param(VOUCHED, "docs", TRUSTED, TRUSTED, id="said aloud"),
        pytest.param(VOUCHED, "docs", UNTRUSTED, UNTRUSTED, id="less than allowed"),
        pytest.param(VOUCHED, "history", SILENT, UNTRUSTED, id="a source that anybody writes to"),
        pytest.param(STRANGER, "docs", SILENT, UNTRUSTED, id="a key that nobody vouches for"),
        pytest.param(STRANGER, "history", UNTRUSTED, UNTRUSTED, id="neither, and said aloud"),
    ],
)
async def test_the_label_is_that_of_key_and_source(world, principal, source, asked, label):
    await world.send(principal, source=source, trust=asked)
    assert world.stored.record.trust == label
    assert {item.passage.trust for item in world.stored.passages} == {label}


@pytest.mark.parametrize(
    ("principal", "source"),
    [pytest.param(STRANGER, "docs", id="the key"), pytest.param(VOUCHED, "history", id="the source")],
)
async def test_nobody_is_trusted_for_the_asking(world, principal, source):
    result = await world.send(principal, source=source, trust=TRUSTED)
    error = errors.from_status(result.error)
    assert (error.reason, error.field_violations[0].field) == ("TRUST_FORBIDDEN", "document.trust")
    assert not world.selector.documents


async def test_the_same_text_from_a_stranger_is_no_longer_trusted(world):
    await world.send(VOUCHED)
    result = await world.send(STRANGER)
    assert result.outcome == pb.IngestDocumentsResponse.OUTCOME_INDEXED
    assert world.stored.record.trust == UNTRUSTED


async def test_every_passage_was_looked_through(world):
    await world.send(VOUCHED)
    assert all(item.passage.sensitive for item in world.stored.passages)
