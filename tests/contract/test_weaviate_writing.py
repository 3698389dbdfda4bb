"""How a write reaches Weaviate in steps, and what is seen where it ends between them."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from redis.asyncio import Redis
from weaviate.classes.config import Configure, DataType, Property

from services.selector.caller import EVERYBODY
from services.selector.errors import StoreBusyError, StoreUnavailableError, UnsupportedSchemaError
from services.selector.passage import TrustLabel
from services.selector.selection import rank
from services.selector.weaviate import Address, WeaviateStore, schema, writer
from services.selector.weaviate.objects import text_objects
from services.selector.weaviate.schema import model_key
from services.selector.weaviate.writer import WRITER_LEASE
from tests.contract.corpora import MODEL, document, index, names, query
from tests.weaviate import drop_collections, prefix_of, shared_valkey, shared_weaviate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from weaviate import WeaviateAsyncClient
    from weaviate.proto.v1 import batch_pb2

    from services.selector.weaviate.state import State

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OLD = document("a", "old pump", "old seal")
NEW = document("a", "new pump", content_hash="h2")


class Bench:
    """Stores over one set of collections, and a look into it that goes past them."""

    def __init__(self, folder: Path) -> None:
        self.prefix = prefix_of(folder)
        self._redis = Redis.from_url(shared_valkey().url)
        self._stores: list[WeaviateStore] = []

    def open(self, *, later: float = 0.0, redis: Redis | None = None) -> WeaviateStore:
        """A store of another process, whose clock is `later` by so many seconds."""
        server = shared_weaviate()
        clock = lambda: NOW + timedelta(seconds=later)  # noqa: E731 - shorter than a function
        store = WeaviateStore(server.address, redis or self._redis, prefix=self.prefix, clock=clock)
        self._stores.append(store)
        return store

    async def close(self) -> None:
        for store in self._stores:
            await store.close()
        await drop_collections(shared_weaviate(), self.prefix)
        await self._redis.aclose()

    @asynccontextmanager
    async def raw(self) -> AsyncIterator[WeaviateAsyncClient]:
        async with shared_weaviate().client() as client:
            yield client

    async def counts(self) -> tuple[int, int, int]:
        """Records, texts and passages that lie in the tenant's collections, seen or not."""
        found = []
        async with self.raw() as client:
            for kind in ("Document_v1", "Text_v1", f"Passage_v1_{model_key(MODEL)}"):
                collection = client.collections.use(f"{self.prefix}{kind}").with_tenant("acme")
                found.append((await collection.aggregate.over_all(total_count=True)).total_count or 0)
        return found[0], found[1], found[2]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    await bench.close()


def dies_before(store: WeaviateStore, step: str) -> None:
    """Make the store's process end as if by SIGKILL when it comes to a step."""

    async def die(*_: object, **__: object) -> None:
        raise asyncio.CancelledError

    owner = store._writer if step == "commit" else store._garbage
    setattr(owner, {"commit": "_commit_index", "removal": "collect"}[step], die)


async def texts(store: WeaviateStore) -> list[str]:
    return sorted(found.passage.text for found in (await store.search("acme", query("pump seal"), rank)).passages)


@pytest.mark.parametrize(
    ("step", "seen", "left"),
    [
        pytest.param("commit", ["old pump", "old seal"], (2, 3, 3), id="before its commit it is undone"),
        pytest.param("removal", ["new pump"], (2, 3, 3), id="after its commit it is finished"),
    ],
)
async def test_a_writer_that_dies_is_cleared_up_after(
    bench: Bench, step: str, seen: list[str], left: tuple[int, int, int]
) -> None:
    dying, reader = bench.open(), bench.open()
    await index(dying, OLD)
    version = await dying.corpus_version("acme")
    # It knows the state of before, in which nothing is hidden.
    assert await texts(reader) == ["old pump", "old seal"]
    dies_before(dying, step)
    with pytest.raises(asyncio.CancelledError):
        await index(dying, NEW)
    assert await bench.counts() == left
    assert await texts(reader) == seen
    assert (await reader.corpus_version("acme") > version) == (step == "removal")

    early = bench.open(later=30)
    await index(early, document("b", "valve"))
    assert (await bench.counts())[0] == left[0] + 1, "its time is not over"

    await index(bench.open(later=WRITER_LEASE + 1), document("c", "valve"))
    assert await bench.counts() == (3, 2 + len(seen), 2 + len(seen))
    assert set(seen) <= set(await texts(reader))


async def test_a_writer_that_was_taken_for_dead_commits_nothing(bench: Bench) -> None:
    slow = bench.open()
    await index(slow, OLD)
    insert = slow._writer.insert

    async def paused(objects: object) -> None:
        await insert(objects)  # type: ignore[arg-type]  # what it was given
        await index(bench.open(later=WRITER_LEASE + 1), document("b", "valve"))

    slow._writer.insert = paused  # type: ignore[method-assign]  # a process that sleeps
    with pytest.raises(StoreBusyError, match="taken for dead"):
        await index(slow, NEW)
    assert await texts(bench.open()) == ["old pump", "old seal", "valve"]


async def test_one_object_that_is_refused_undoes_the_write(bench: Bench) -> None:
    store = bench.open()
    await index(store, OLD)
    # Weaviate takes a vector of other dimensions only for the first object, which it may be after an erasure.
    await store.erase_tenant("acme")
    async with bench.raw() as client:
        collection = client.collections.use(f"{bench.prefix}Passage_v1_{model_key(MODEL)}")
        await collection.with_tenant("acme").data.insert({}, vector=[1.0, 0.0, 0.0])
    with pytest.raises(StoreUnavailableError, match="refused 2 objects of 5"):
        await index(store, OLD)
    assert await store.get("acme", "a", EVERYBODY) is None
    assert await bench.counts() == (0, 0, 1)


async def test_without_redis_writes_are_refused_and_reads_go_on(bench: Bench) -> None:
    await index(bench.open(), OLD)
    alone = bench.open(redis=Redis(host="127.0.0.1", port=1))
    with pytest.raises(StoreUnavailableError, match="Redis"):
        await index(alone, NEW)
    with pytest.raises(StoreUnavailableError, match="Redis"):
        await alone.delete("acme", ["a"], EVERYBODY)
    assert await texts(alone) == ["old pump", "old seal"]
    assert await alone.get("acme", "a", EVERYBODY) is not None


async def test_a_store_whose_weaviate_is_away_says_so(bench: Bench) -> None:
    store = WeaviateStore(Address("http://127.0.0.1:1", 2, read_timeout=1.0), Redis(host="127.0.0.1", port=1))
    try:
        assert not await store.ready()
        with pytest.raises(StoreUnavailableError):
            await store.search("acme", query("pump"), rank)
        with pytest.raises(StoreUnavailableError):
            await index(store, OLD)
    finally:
        await store.close()
    assert await bench.open().ready()


async def test_what_hides_new_passages_takes_no_place_of_others(bench: Bench) -> None:
    store, dying = bench.open(), bench.open()
    await index(store, *(document(f"d{i}", f"pump of {i}") for i in range(5)))
    dies_before(dying, "commit")
    with pytest.raises(asyncio.CancelledError):
        await index(dying, *(document(f"n{i}", f"pump pump pump {i}") for i in range(150)))
    found = await bench.open().search("acme", replace(query("pump"), depth=100), rank)
    assert sorted(names(found)) == [f"d{i}#0" for i in range(5)]


async def test_a_state_of_a_later_version_is_left_alone(bench: Bench) -> None:
    store = bench.open()
    await index(store, OLD)
    state: State = await store._states.read("acme")
    await store._states.write("acme", replace(state, schema=2))
    newer = bench.open()
    with pytest.raises(UnsupportedSchemaError, match="has schema 2, this version reads 1"):
        await newer.search("acme", query("pump"), rank)
    with pytest.raises(UnsupportedSchemaError):
        await index(newer, NEW)


async def test_a_property_that_is_missing_is_added(bench: Bench) -> None:
    async with bench.raw() as client:
        await client.collections.create(
            f"{bench.prefix}Corpus_v1",
            properties=[Property(name="other", data_type=DataType.TEXT)],
            multi_tenancy_config=Configure.multi_tenancy(enabled=True, auto_tenant_creation=True),
        )
    await index(bench.open(), OLD)
    assert await texts(bench.open()) == ["old pump", "old seal"]


async def index_as_before(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write OLD as the version did that looked for nothing sensitive."""

    def texts_before(*written: Any) -> Iterator[batch_pb2.BatchObject]:
        for one in text_objects(*written):
            del one.properties.non_ref_properties["sensitive"]
            yield one

    with monkeypatch.context() as patch:
        patch.setattr(schema, "_TEXT", tuple(p for p in schema._TEXT if p.name != "sensitive"))
        patch.setattr(writer, "text_objects", texts_before)
        await index(bench.open(), OLD)


async def sensitive(store: WeaviateStore) -> dict[str, bytes]:
    found = await store.search("acme", query("pump seal"), rank)
    assert all(f.passage.prepared for f in found.passages)
    return {f.passage.passage_id: f.passage.sensitive for f in found.passages}


async def test_texts_of_an_older_version_are_read_before_and_after_a_newer_one_writes(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await index_as_before(bench, monkeypatch)
    reader, newer = bench.open(), document("b", "pump")
    assert await sensitive(reader) == {"a#0": b"", "a#1": b""}
    await index(bench.open(), newer)
    assert await sensitive(reader) == {"a#0": b"", "a#1": b"", "b#0": newer.passages[0].sensitive}


async def test_selectors_that_add_a_property_at_once_do_it_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await index_as_before(bench, monkeypatch)
    await asyncio.gather(*(index(bench.open(), document(name, f"pump {name}")) for name in "bcdef"))
    assert {name for name, found in (await sensitive(bench.open())).items() if found} == {f"{n}#0" for n in "bcdef"}


async def test_a_record_that_nobody_vouches_for_is_written_as_before(bench: Bench) -> None:
    vouched = document("b", "pump", record={"trust": TrustLabel.TRUSTED})
    await index(bench.open(), OLD, vouched)
    async with bench.raw() as client:
        collection = client.collections.use(f"{bench.prefix}Document_v1").with_tenant("acme")
        records = [json.loads(str(o.properties["record"])) for o in (await collection.query.fetch_objects()).objects]
    assert {record["document_id"]: record.get("trust") for record in records} == {"a": None, "b": "trusted"}
