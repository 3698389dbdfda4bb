"""Walls inside a tenant: a document with groups exists for them alone; what is erased is nowhere."""

import asyncio
import json
import zlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from redis.asyncio import Redis

import scic.testing
from scic import Client, ScicError, errors
from scic.gateway.v1 import context_service_pb2
from scic.gateway.v1 import corpus_service_pb2 as pb
from tests.laptop import run_scic
from tests.mesh.conftest import ingested
from tests.valkey import Valkey
from tests.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

INDEXED = pb.IngestDocumentsResponse.OUTCOME_INDEXED
FAILED = pb.IngestDocumentsResponse.OUTCOME_FAILED
QUESTION = "What does the lighthouse keeper earn?"
TENANTS = tuple(f"walled-{number}" for number in range(16))
OPEN = "The lighthouse keeper climbs 112 steps and earns the respect of all sailors."
SECRET = "The lighthouse keeper earns 4711 zloty a month, and Zbigniew Quastenflosser is his name."


@dataclass(frozen=True)
class Place:
    """A mesh, and where it keeps things."""

    mesh: scic.testing.Mesh
    data_dir: Path
    redis_url: str

    async def holds(self, mark: str) -> bool:
        """Whether a file of the store, or a key or value of Redis, has the mark in it."""
        files = [path.read_bytes() for path in self.data_dir.rglob("*") if path.is_file()]
        contents = [*files, *(body for file in files for body in recorded(file))]
        return any(mark.encode() in content.lower() for content in contents) or await self.in_redis(mark)

    async def in_redis(self, mark: str) -> bool:
        """The same of Redis alone."""
        async with Redis.from_url(self.redis_url) as redis:
            keys = [key async for key in redis.scan_iter(count=1000)]
            values = [value for key in keys for value in await values_of(redis, key)]
        return any(mark.encode() in item.lower() for item in (*keys, *values))

    async def scic(self, tenant: str, *arguments: str, code: int = 0) -> str:
        """What a command prints that is given to this mesh with the tenant's key that sees all."""
        where = ("--address", self.mesh.address, "--api-key", self.mesh.api_keys[tenant])
        done = await asyncio.to_thread(run_scic, *arguments, *where, check=False)
        assert done.returncode == code, done.stderr
        return done.stdout


def recorded(file: bytes) -> list[bytes]:
    """The records of a file that is a segment of the ledger, read as docs/ledger.md says."""
    if not file.startswith(b"SCICLED2"):
        return []
    begin = 12 + int.from_bytes(file[8:12], "little")
    entries = [entry for entry in json.loads(file[12:begin]) if not entry.get("erased")]
    return [inflated(file[begin + e["offset"] :][: e["length"]]) for e in entries]


def inflated(body: bytes) -> bytes:
    """A record, and what all callers got."""
    whole = b""
    while body:
        stream = zlib.decompressobj()
        whole += stream.decompress(body)
        body = stream.unused_data
    return whole


async def values_of(redis: Redis, key: Any) -> list[Any]:
    """All that stands under a key."""
    match await redis.type(key):
        case b"zset":
            return list(await redis.zrange(key, 0, -1))
        case b"hash":
            return [item for pair in (await redis.hgetall(key)).items() for item in pair]
        case b"set":
            return list(await redis.smembers(key))
        case _:
            return [await redis.get(key) or b""]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    data_dir = tmp_path_factory.mktemp("data")
    with Valkey(tmp_path_factory.mktemp("valkey")) as valkey:
        async with scic.testing.mesh(
            data_dir=data_dir, redis_url=valkey.url, tenants=TENANTS, groups=("hr", "sales")
        ) as mesh:
            yield Place(mesh, data_dir, valkey.url)


@pytest.fixture(scope="module")
def unused() -> Iterator[str]:
    return iter(TENANTS)


@pytest.fixture
def tenant(unused: Iterator[str]) -> str:
    return next(unused)


@dataclass(frozen=True)
class Callers:
    """Of one tenant."""

    everything: Client
    hr: Client
    sales: Client


@pytest_asyncio.fixture(loop_scope="session")
async def callers(place: Place, tenant: str) -> AsyncIterator[Callers]:
    """The tenant has a document for everybody and one for the group hr."""
    async with (
        place.mesh.client(tenant) as everything,
        place.mesh.client(tenant, group="hr") as hr,
        place.mesh.client(tenant, group="sales") as sales,
    ):
        results = await ingested(hr, [open_document(), secret_document()])
        assert {result.outcome for result in results.values()} == {INDEXED}
        yield Callers(everything, hr, sales)


def open_document() -> pb.DocumentInput:
    return pb.DocumentInput(document_id="keepers/steps", content=OPEN.encode())


def secret_document(text: str = SECRET) -> pb.DocumentInput:
    return pb.DocumentInput(
        document_id="keepers/salary", content=text.encode(), acl_groups=["hr"], subjects=["person:zq"]
    )


async def ask(client: Client) -> context_service_pb2.BuildContextResponse:
    return await client.build_context(QUESTION, max_tokens=1000)


async def seen(client: Client) -> set[str]:
    """Documents of a reply, wherever they stand in it."""
    built = await ask(client)
    return {item.document_id for item in built.evidence} | {item.document_id for item in built.dropped}


async def listed(client: Client) -> list[str]:
    return [record.document_id async for record in client.list_documents()]


BOTH, ONE = ["keepers/salary", "keepers/steps"], ["keepers/steps"]


async def test_a_caller_finds_lists_and_counts_what_it_may_see_and_no_more(callers: Callers) -> None:
    for client, names in ((callers.everything, BOTH), (callers.hr, BOTH), (callers.sales, ONE)):
        assert await seen(client) == set(names)
        assert await listed(client) == names
        stats = await client.get_corpus_stats()
        assert [(source.source, source.document_count) for source in stats.sources] == [("docs", len(names))]


async def test_a_cached_reply_never_crosses_a_wall(callers: Callers) -> None:
    replies = {"hr": callers.hr, "everything": callers.everything, "sales": callers.sales}
    for name, client in replies.items():
        first = await ask(client)
        cached = await eventually_cached(client)
        assert cached.messages == first.messages
        assert (b"4711" in cached.SerializeToString()) is (name != "sales")


async def leave_marks(place: Place, callers: Callers, tenant: str) -> str:
    """Makes a document whose id, text and subject have a word in them that stands nowhere else; returns the word.

    It is in replies of the cache, too, one for each caller.
    """
    mark = f"quastenflosser{tenant.replace('-', '')}"
    marked = secret_document(f"{SECRET} The lighthouse keeper is {mark}.")
    marked.document_id, marked.subjects[0] = f"keepers/{mark}", f"person:{mark}"
    await ingested(callers.hr, [marked])
    for client in (callers.everything, callers.hr, callers.sales):
        await eventually_cached(client)
    assert await place.holds(mark), "it is looked for where it stands"
    return mark


async def eventually_cached(client: Client) -> context_service_pb2.BuildContextResponse:
    replies = []

    async def cached() -> bool:
        replies.append(await ask(client))
        return replies[-1].cache == context_service_pb2.CACHE_STATUS_HIT

    await eventually("a reply comes from the cache", cached)
    return replies[-1]


async def test_a_record_behind_the_wall_looks_like_one_that_is_not_there(callers: Callers) -> None:
    record = await callers.hr.get_document("keepers/salary")
    assert (list(record.acl_groups), list(record.subjects)) == (["hr"], ["person:zq"])
    with pytest.raises(ScicError) as hidden:
        await callers.sales.get_document("keepers/salary")
    with pytest.raises(ScicError) as absent:
        await callers.sales.get_document("keepers/nobody")
    assert hidden.value.reason == absent.value.reason == "DOCUMENT_NOT_FOUND"
    assert hidden.value.message.replace("salary", "nobody") == absent.value.message


async def test_a_filter_on_a_key_behind_the_wall_is_unknown(callers: Callers) -> None:
    marked = secret_document()
    marked.metadata["grade"] = "a"
    await ingested(callers.hr, [marked])
    assert (await callers.hr.build_context(QUESTION, max_tokens=1000, filters={"grade": "a"})).evidence
    with pytest.raises(ScicError) as caught:
        await callers.sales.build_context(QUESTION, max_tokens=1000, filters={"grade": "a"})
    assert caught.value.reason == "UNKNOWN_FILTER_KEY"


async def test_nobody_deletes_or_replaces_what_he_may_not_see(callers: Callers) -> None:
    deleted = await callers.sales.delete_documents(["keepers/salary"])
    assert not deleted.deleted_document_ids
    assert {place.document_count for place in deleted.receipt.places} == {0}

    mine = pb.DocumentInput(document_id="keepers/salary", content=b"Nothing.")
    foreign = pb.DocumentInput(document_id="keepers/wish", content=b"More.", acl_groups=["hr"])
    other = pb.DocumentInput(document_id="keepers/plan", content=b"Sell the lamp.", acl_groups=["sales"])
    results = await ingested(callers.sales, [mine, foreign, other])
    assert {name: result.outcome for name, result in results.items()} == {
        "keepers/salary": FAILED,
        "keepers/wish": FAILED,
        "keepers/plan": INDEXED,
    }
    for name, field in (("keepers/salary", "document.document_id"), ("keepers/wish", "document.acl_groups")):
        error = errors.from_status(results[name].error)
        assert error.reason == "DOCUMENT_FORBIDDEN"
        assert [violation.field for violation in error.field_violations] == [field]
    assert await listed(callers.hr) == BOTH
    assert await seen(callers.hr) == set(BOTH)


async def test_a_document_that_gets_groups_vanishes_for_the_others_at_once(callers: Callers) -> None:
    assert await seen(callers.sales) == set(ONE)
    narrowed = open_document()
    narrowed.acl_groups.append("hr")
    assert (await ingested(callers.hr, [narrowed]))["keepers/steps"].outcome == INDEXED
    assert await seen(callers.sales) == set()
    assert await listed(callers.sales) == []


async def test_an_erased_subject_is_nowhere(place: Place, callers: Callers, tenant: str, unused: Iterator[str]) -> None:
    async with place.mesh.client(next(unused)) as neighbour:
        await ingested(neighbour, [open_document()])
        await eventually_cached(neighbour)
        mark = await leave_marks(place, callers, tenant)

        printed = json.loads(
            await place.scic(tenant, "corpus", "erase", "--subject", f"person:{mark}", "--yes", "--json")
        )

        assert printed["deleted_document_ids"] == [f"keepers/{mark}"]
        corpus, cache, jobs, ledger = printed["receipt"]["places"]
        assert (corpus["name"], corpus["document_count"]) == ("corpus", "1")
        assert cache["name"] == "cache"
        assert int(cache["entry_count"]) >= 3
        assert (jobs["name"], ledger["name"]) == ("jobs", "ledger")
        assert not await place.holds(mark)
        for client, names in ((callers.everything, BOTH), (callers.hr, BOTH), (callers.sales, ONE)):
            built = await ask(client)
            # Who could not see it had a reply that did not name it.
            lives = names == ONE
            assert built.cache == (
                context_service_pb2.CACHE_STATUS_HIT if lives else context_service_pb2.CACHE_STATUS_MISS
            )
            assert mark not in str(built)
            assert await listed(client) == names
        assert (await ask(neighbour)).cache == context_service_pb2.CACHE_STATUS_HIT


async def test_an_erased_tenant_is_nowhere_and_begins_anew(place: Place, callers: Callers, tenant: str) -> None:
    mark = await leave_marks(place, callers, tenant)
    receipt = (await callers.everything.erase_tenant(tenant)).receipt
    assert [(item.name, item.document_count) for item in receipt.places] == [
        ("corpus", 3),
        ("cache", 0),
        ("jobs", 0),
        ("ledger", 0),
        ("profiles", 0),
    ]
    assert receipt.places[1].entry_count >= 1
    assert not await place.holds(mark)
    assert await listed(callers.everything) == []
    assert await seen(callers.everything) == set()
    await ingested(callers.hr, [secret_document(), open_document()])
    assert await seen(callers.hr) == set(BOTH)


async def test_a_deleted_document_is_in_no_reply_of_the_cache(place: Place, callers: Callers, tenant: str) -> None:
    mark = await leave_marks(place, callers, tenant)
    receipt = (await callers.hr.delete_documents([f"keepers/{mark}"])).receipt
    places = [("corpus", 1), ("cache", 0), ("jobs", 0), ("ledger", 0)]
    assert [(item.name, item.document_count) for item in receipt.places] == places
    assert receipt.places[1].entry_count >= 3
    assert not await place.in_redis(mark)


async def test_the_commands_say_what_is_stored(place: Place, callers: Callers, tenant: str) -> None:
    listing = await place.scic(tenant, "corpus", "list")
    assert [line.split()[-1] for line in listing.splitlines()] == ["document", *BOTH]
    records = [json.loads(line) for line in (await place.scic(tenant, "corpus", "list", "--json")).splitlines()]
    assert [record["document_id"] for record in records] == BOTH
    assert await place.scic(tenant, "corpus", "list", "--source", "code") == ""
    shown = await place.scic(tenant, "corpus", "show", "keepers/salary")
    for fact in ("keepers/salary", "docs", "text/plain", f"{len(SECRET)} bytes in 1 passage", "hr", "person:zq"):
        assert fact in shown
    assert "never" in shown
    counts = json.loads(await place.scic(tenant, "corpus", "stats", "--json"))
    assert [source["document_count"] for source in counts["sources"]] == ["2"]
    printed = await place.scic(tenant, "corpus", "stats")
    assert counts["embedding_model"] in printed
    assert counts["corpus_version"] in printed
    gone = await place.scic(tenant, "corpus", "delete", "keepers/steps", "nowhere")
    assert gone.startswith("deleted keepers/steps\n")
    assert "receipt " in gone
    await place.scic(tenant, "corpus", "show", "keepers/steps", code=2)
    await place.scic(tenant, "corpus", "erase", "--tenant", "another", "--yes", code=2)
    await place.scic(tenant, "corpus", "erase", "--tenant", tenant, code=1)  # nobody there to say yes
    assert await listed(callers.everything) == ["keepers/salary"]


async def test_ingest_sets_walls_and_prunes_what_its_folders_lost(
    place: Place, tenant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / "notes").mkdir(exist_ok=True)
        (tmp_path / "notes" / f"{name}.md").write_text(f"Note {name}.")
    (tmp_path / "notes-2.md").write_text("Beside the folder.")
    monkeypatch.chdir(tmp_path)
    options = ("--acl", "hr", "--subject", "person:zq", "--expires-in", "30d")
    assert "4 indexed" in await place.scic(tenant, "ingest", "notes", "notes-2.md", *options)
    assert "4 unchanged" in await place.scic(tenant, "ingest", "notes", "notes-2.md", *options)
    async with place.mesh.client(tenant) as client, place.mesh.client(tenant, group="sales") as sales:
        record = await client.get_document("notes/a.md")
        assert (list(record.acl_groups), list(record.subjects)) == (["hr"], ["person:zq"])
        assert record.expire_time.ToSeconds() % (24 * 3600) == 0
        assert await listed(sales) == []

        (tmp_path / "notes" / "b.md").unlink()
        (tmp_path / "notes" / "broken.md").write_bytes(b"\xff")
        await place.scic(tenant, "ingest", "notes", *options, "--prune", code=1)
        assert "notes/b.md" in await listed(client), "nothing is pruned where a file failed"
        (tmp_path / "notes" / "broken.md").unlink()
        printed = await place.scic(tenant, "ingest", "notes", *options, "--prune")
        assert printed.splitlines()[-1] == "1 deleted that the folders no longer have"
        assert await listed(client) == ["notes-2.md", "notes/a.md", "notes/c.md"]
