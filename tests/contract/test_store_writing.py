"""What every store promises of writing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest

from services.selector.caller import EVERYBODY
from services.selector.errors import InvalidDocumentError
from services.selector.passage import IndexedDocument, SourceKind, TrustLabel
from services.selector.query import Removal, SourceQuery, Written
from services.selector.selection import rank
from tests.contract.corpora import DOCS, document, find, index, query

if TYPE_CHECKING:
    from services.selector.ports import Store
    from tests.contract.stores import Opener

CODE = SourceQuery("code", SourceKind.CODE, 10)


async def test_what_was_indexed_comes_back_as_it_was(store: Store) -> None:
    fields = {
        "created_at": datetime(2024, 2, 29, 12, 0, 0, 123456, tzinfo=UTC),
        "acl_groups": ("staff", "a/b ☃ 'c\""),
        "subjects": ("zoe@example.org", "ada"),
        "expires_at": datetime(2124, 2, 29, 12, 0, 0, 654321, tzinfo=UTC),
        "trust": TrustLabel.TRUSTED,
    }
    given = document("a/b.md", "Élan 😀 of\0pumps", "Second part", language="en", record=fields)
    before = datetime.now(UTC)
    version, replaced, previous = await index(store, given)
    assert (replaced, previous) == (0, 0)

    stored = await store.get("acme", "a/b.md", EVERYBODY)
    assert stored is not None
    assert stored.indexed_at is not None
    assert before <= stored.indexed_at <= datetime.now(UTC)
    assert stored == replace(given.document, passage_count=2, indexed_at=stored.indexed_at)

    found = await store.search("acme", query("pumps"), rank)
    assert found.corpus_version == version
    assert [f.passage for f in found.passages] == [replace(p, document=stored) for p in given.passages]
    assert found.passages[0].passage.passage_id == "a/b.md#0"


async def test_nobody_vouches_for_what_does_not_say_so_and_a_new_label_replaces_the_old(store: Store) -> None:
    await index(store, document("a", "pump"))
    await index(store, document("b", "pump", record={"trust": TrustLabel.TRUSTED}))
    await index(store, document("b", "pump", content_hash="h2", record={"trust": TrustLabel.UNTRUSTED}))
    await index(store, document("c", "pump", record={"trust": TrustLabel.TRUSTED}))
    labels = {"a": TrustLabel.UNTRUSTED, "b": TrustLabel.UNTRUSTED, "c": TrustLabel.TRUSTED}
    page = await store.list("acme", EVERYBODY, page_size=10)
    assert {listed.document_id: listed.trust for listed in page.documents} == labels
    found = await store.search("acme", query("pump"), rank)
    assert {f.passage.document.document_id: f.passage.document.trust for f in found.passages} == labels


async def test_the_version_moves_with_each_write_that_changes_something_and_with_no_other(store: Store) -> None:
    assert await store.corpus_version("acme") == 0
    writes: list[Written | Removal] = [
        await index(store, document("a", "pump")),
        await index(store, document("a", "valve", content_hash="h2"), document("b", "pump")),
        await store.delete("acme", ["a"], EVERYBODY),
        await store.erase_subject("acme", "nobody"),
    ]
    versions = [0, *(written.corpus_version for written in writes)]
    assert versions == sorted(set(versions))
    assert [written.previous_version for written in writes] == versions[:-1]
    last = versions[-1]
    assert await index(store, document("b", "pump")) == (last, 0, last)
    assert await store.delete("acme", ["a", "never"], EVERYBODY) == Removal((), 0, last, last)
    assert await index(store) == (last, 0, last)
    assert await store.corpus_version("acme") == last


async def test_a_version_never_comes_back_after_everything_was_deleted(store: Store) -> None:
    first, *_ = await index(store, document("a", "pump"))
    emptied = (await store.delete("acme", ["a"], EVERYBODY)).corpus_version
    again, *_ = await index(store, document("a", "pump"))
    assert first < emptied < again


async def test_a_document_is_replaced_as_a_whole(store: Store) -> None:
    await index(store, document("a", "red pump", "blue pump", "green pump", colour="old"))
    await index(store, document("a", "yellow pump", content_hash="h2", source="code", colour="new"))
    assert await find(store, "pump") == []
    found = await store.search("acme", query("pump", DOCS, CODE), rank)
    assert [(f.passage.text, f.passage.document.metadata) for f in found.passages] == [
        ("yellow pump", {"colour": "new"})
    ]


async def test_those_that_replace_others_are_counted(store: Store) -> None:
    await index(store, document("a", "one"), document("b", "one"), document("c", "one"))
    batch = [document("a", "two", content_hash="h2"), document("b", "one"), document("d", "new")]
    assert (await index(store, *batch))[1] == 1


async def test_the_same_hash_leaves_a_document_alone(store: Store) -> None:
    await index(store, document("a", "first words"))
    await index(store, document("a", "other words"))
    found = await store.search("acme", query("words"), rank)
    assert [f.passage.text for f in found.passages] == ["first words"]


async def test_the_last_of_two_in_one_batch_stays(store: Store) -> None:
    await index(store, document("a", "one"), document("a", "two", content_hash="h2"))
    found = await store.search("acme", query("two"), rank)
    assert [f.passage.text for f in found.passages] == ["two"]


async def test_a_batch_goes_in_as_a_whole_or_not_at_all(store: Store) -> None:
    bad = document("bad", "valve")
    narrow = IndexedDocument(bad.document, bad.passages, np.eye(1, 3, dtype=np.float32))
    with pytest.raises(InvalidDocumentError, match="'bad'"):
        await index(store, document("good", "pump"), narrow)
    assert await store.get("acme", "good", EVERYBODY) is None


async def test_a_document_without_passages_is_recorded_and_not_found(store: Store) -> None:
    await index(store, document("empty"), document("a", "pump"))
    stored = await store.get("acme", "empty", EVERYBODY)
    assert stored is not None
    assert stored.passage_count == 0
    assert await find(store, "pump title empty") == ["a#0"]


async def test_delete_names_those_that_were_there(store: Store) -> None:
    await index(store, document("a", "pump", "seal"), document("b", "pump"), document("c", "pump"))
    removal = await store.delete("acme", ["c", "none", "a", "c"], EVERYBODY)
    assert sorted(removal.document_ids) == ["a", "c"]
    assert removal.passage_count == 3
    assert await find(store, "pump") == ["b#0"]
    assert await store.corpus_version("acme") == removal.corpus_version
    assert await store.get("acme", "a", EVERYBODY) is None


async def test_another_process_sees_a_write_at_its_next_query(open_store: Opener) -> None:
    writer, reader = await open_store(), await open_store()
    await index(writer, document("a", "old pump"))
    assert await find(reader, "pump") == ["a#0"]
    await index(writer, document("a", "new valve", content_hash="h2"), document("b", "pump"))
    found = await reader.search("acme", query("pump valve"), rank)
    assert sorted(f.passage.text for f in found.passages) == ["new valve", "pump"]
    assert found.corpus_version == await writer.corpus_version("acme")
    await reader.delete("acme", ["b"], EVERYBODY)
    assert await find(writer, "pump") == ["a#0"]


async def test_a_document_that_changes_is_always_seen_once(open_store: Opener) -> None:
    writer, reader = await open_store(), await open_store()
    await index(writer, document("a", "pump 0", "pump 0 more", content_hash="h0"))

    async def write() -> None:
        for i in range(1, 40):
            await index(writer, document("a", f"pump {i}", f"pump {i} more", content_hash=f"h{i}"))

    writing = asyncio.create_task(write())
    seen = []
    while not writing.done():
        found = await reader.search("acme", query("pump"), rank)
        seen.append([f.passage.text.removesuffix(" more") for f in found.passages])
        assert {f.passage.document.content_hash for f in found.passages} == {f"h{seen[-1][0].removeprefix('pump ')}"}
    await writing
    assert all(len(texts) == 2 and len(set(texts)) == 1 for texts in seen)


async def test_many_writers_lose_nothing(open_store: Opener) -> None:
    stores = [await open_store(), await open_store()]
    await asyncio.gather(*(index(stores[i % 2], document(f"d{i:02}", f"pump {i}")) for i in range(40)))
    for store in stores:
        page = await store.list("acme", EVERYBODY, page_size=100)
        assert [d.document_id for d in page.documents] == [f"d{i:02}" for i in range(40)]
        assert len(await find(store, "pump", replace(DOCS, limit=100))) == 40
