"""What every store promises, held against each of them. A new store joins by a name in STORES."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest

from services.selector.embedded import EmbeddedStore
from services.selector.errors import (
    EmbeddingModelMismatchError,
    InvalidDocumentError,
    InvalidPageTokenError,
    InvalidTenantError,
)
from services.selector.indexing import question_terms
from services.selector.passage import Document, EmbeddingModel, IndexedDocument, Passage, SourceKind
from services.selector.query import Condition, Query, Selection, SourceQuery
from services.selector.selection import rank

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from services.selector.ports import Store

DIMENSION = 4
MODEL = EmbeddingModel("model-a", DIMENSION)
OTHER_MODEL = EmbeddingModel("model-b", DIMENSION)
AXES = np.eye(DIMENSION, dtype=np.float32)

Opener = Callable[[], Awaitable["Store"]]


async def embedded(stack: AsyncExitStack, folder: Path) -> Store:
    store = EmbeddedStore(folder)
    stack.push_async_callback(store.close)
    return store


STORES = {"embedded": embedded}


@pytest.fixture(params=list(STORES))
async def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opener]:
    """Opens another store on the same data, as another process would."""
    async with AsyncExitStack() as stack:
        yield lambda: STORES[request.param](stack, tmp_path)


@pytest.fixture
async def store(open_store: Opener) -> Store:
    return await open_store()


def document(
    name: str,
    *texts: str,
    source: str = "docs",
    kind: SourceKind = SourceKind.DOCS,
    content_hash: str = "h1",
    axis: int = 0,
    **metadata: str,
) -> IndexedDocument:
    record = Document(name, source, kind, f"Title of {name}", "text/plain", content_hash, 10, metadata)
    passages = tuple(
        Passage(record, ordinal, (record.title, "Section"), text, 10 * ordinal, 10 * ordinal + len(text), b"\0\xff" * 3)
        for ordinal, text in enumerate(texts)
    )
    return IndexedDocument(record, passages, np.repeat(AXES[axis : axis + 1], len(texts), axis=0))


def query(
    question: str,
    *sources: SourceQuery,
    axis: int = 0,
    model: EmbeddingModel = MODEL,
    conditions: Sequence[Condition] = (),
) -> Query:
    asked = sources or (SourceQuery("docs", SourceKind.DOCS, 10),)
    return Query(question_terms(question), AXES[axis], model.model_id, asked, tuple(conditions))


def names(selection: Selection) -> list[str]:
    return [found.passage.passage_id for found in selection.passages]


async def find(store: Store, question: str, *sources: SourceQuery, tenant: str = "acme", axis: int = 0) -> list[str]:
    return names(await store.search(tenant, query(question, *sources, axis=axis), rank))


# Writing


async def test_what_was_indexed_comes_back_as_it_was(store: Store) -> None:
    created = datetime(2024, 2, 29, 12, 0, 0, 123456, tzinfo=UTC)
    given = document("a/b.md", "Élan 😀 of\0pumps", "Second part", language="en")
    record = replace(given.document, created_at=created)
    given = IndexedDocument(record, tuple(replace(p, document=record) for p in given.passages), given.vectors)
    before = datetime.now(UTC)
    version = await store.index("acme", [given], MODEL)

    stored = await store.get("acme", "a/b.md")
    assert stored is not None
    assert stored.indexed_at is not None
    assert before <= stored.indexed_at <= datetime.now(UTC)
    assert stored == replace(record, passage_count=2, indexed_at=stored.indexed_at)

    found = await store.search("acme", query("pumps"), rank)
    assert found.corpus_version == version
    assert [f.passage for f in found.passages] == [replace(p, document=stored) for p in given.passages]
    assert found.passages[0].passage.passage_id == "a/b.md#0"


async def test_the_version_moves_with_each_write_that_changes_something_and_with_no_other(store: Store) -> None:
    assert await store.corpus_version("acme") == 0
    versions = [
        await store.index("acme", [document("a", "pump")], MODEL),
        await store.index("acme", [document("a", "valve", content_hash="h2"), document("b", "pump")], MODEL),
        (await store.delete("acme", ["a"]))[1],
    ]
    assert versions == sorted(set(versions))
    last = versions[-1]
    assert await store.index("acme", [document("b", "pump")], MODEL) == last
    assert await store.delete("acme", ["a", "never"]) == ([], last)
    assert await store.index("acme", [], MODEL) == last
    assert await store.corpus_version("acme") == last


async def test_a_version_never_comes_back_after_everything_was_deleted(store: Store) -> None:
    first = await store.index("acme", [document("a", "pump")], MODEL)
    _, emptied = await store.delete("acme", ["a"])
    again = await store.index("acme", [document("a", "pump")], MODEL)
    assert first < emptied < again


async def test_a_document_is_replaced_as_a_whole(store: Store) -> None:
    await store.index("acme", [document("a", "red pump", "blue pump", "green pump", colour="old")], MODEL)
    await store.index("acme", [document("a", "yellow pump", content_hash="h2", source="code", colour="new")], MODEL)
    assert await find(store, "pump") == []
    both = (SourceQuery("docs", SourceKind.DOCS, 10), SourceQuery("code", SourceKind.CODE, 10))
    found = await store.search("acme", query("pump", *both), rank)
    assert [(f.passage.text, f.passage.document.metadata) for f in found.passages] == [
        ("yellow pump", {"colour": "new"})
    ]


async def test_the_same_hash_leaves_a_document_alone(store: Store) -> None:
    await store.index("acme", [document("a", "first words")], MODEL)
    await store.index("acme", [document("a", "other words")], MODEL)
    found = await store.search("acme", query("words"), rank)
    assert [f.passage.text for f in found.passages] == ["first words"]


async def test_the_last_of_two_in_one_batch_stays(store: Store) -> None:
    await store.index("acme", [document("a", "one"), document("a", "two", content_hash="h2")], MODEL)
    found = await store.search("acme", query("two"), rank)
    assert [f.passage.text for f in found.passages] == ["two"]


async def test_a_batch_goes_in_as_a_whole_or_not_at_all(store: Store) -> None:
    narrow = replace_vectors(document("bad", "valve"), np.eye(1, 3, dtype=np.float32))
    with pytest.raises(InvalidDocumentError, match="'bad'"):
        await store.index("acme", [document("good", "pump"), narrow], MODEL)
    assert await store.get("acme", "good") is None


def replace_vectors(indexed: IndexedDocument, vectors: NDArray[np.float32]) -> IndexedDocument:
    return IndexedDocument(indexed.document, indexed.passages, vectors)


async def test_a_document_without_passages_is_recorded_and_not_found(store: Store) -> None:
    await store.index("acme", [document("empty"), document("a", "pump")], MODEL)
    stored = await store.get("acme", "empty")
    assert stored is not None
    assert stored.passage_count == 0
    assert await find(store, "pump title empty") == ["a#0"]


async def test_delete_names_those_that_were_there(store: Store) -> None:
    await store.index("acme", [document("a", "pump"), document("b", "pump"), document("c", "pump")], MODEL)
    deleted, version = await store.delete("acme", ["c", "none", "a", "c"])
    assert sorted(deleted) == ["a", "c"]
    assert await find(store, "pump") == ["b#0"]
    assert await store.corpus_version("acme") == version
    assert await store.get("acme", "a") is None


async def test_unchanged_knows_exactly_the_stored_hashes(store: Store) -> None:
    await store.index("acme", [document("a", "x", "y"), document("b", "z", content_hash="h2")], MODEL)
    asked = [("a", "h1"), ("b", "h1"), ("c", "h1")]
    assert await store.unchanged("acme", asked) == {"a": 2}
    assert await store.unchanged("other", asked) == {}


# Listing


async def test_listing_goes_by_id_through_all_pages_of_a_source(store: Store) -> None:
    ids = ["B", "a", "a/1", "a/10", "a/2", "é", "漢", "😀"]
    await store.index("acme", [document(name, "x") for name in reversed(ids)], MODEL)
    await store.index("acme", [document("code.py", "x", source="code", kind=SourceKind.CODE)], MODEL)
    listed, token = [], ""
    while True:
        page = await store.list("acme", source="docs", page_token=token, page_size=3)
        assert len(page.documents) <= 3
        listed += [d.document_id for d in page.documents]
        token = page.next_page_token
        if not token:
            break
    assert listed == ids
    everything = await store.list("acme", page_size=100)
    assert [d.document_id for d in everything.documents] == sorted([*ids, "code.py"])


async def test_a_page_token_outlives_writes(store: Store) -> None:
    await store.index("acme", [document(name, "x") for name in "abcd"], MODEL)
    page = await store.list("acme", page_size=2)
    await store.delete("acme", ["b"])
    await store.index("acme", [document("aa", "x"), document("cc", "x")], MODEL)
    rest = await store.list("acme", page_token=page.next_page_token, page_size=10)
    assert [d.document_id for d in rest.documents] == ["c", "cc", "d"]


@pytest.mark.parametrize("token", ["x", "é", "AAAA", "ZG9jcwph"], ids=["short", "not ascii", "noise", "other source"])
async def test_a_foreign_page_token_is_refused(store: Store, token: str) -> None:
    with pytest.raises(InvalidPageTokenError):
        await store.list("acme", source="code", page_token=token, page_size=2)


# Searching


async def test_words_and_meaning_both_find(store: Store) -> None:
    await store.index(
        "acme", [document("words", "a pump", axis=1), document("meaning", "nothing of it", axis=2)], MODEL
    )
    found = await store.search("acme", query("pumps", axis=2), rank)
    scores = {f.passage.document.document_id: f.scores for f in found.passages}
    assert scores["words"].bm25 > 0
    assert scores["words"].cosine == pytest.approx(0)
    assert scores["meaning"].bm25 == 0
    assert scores["meaning"].cosine == pytest.approx(1)


async def test_a_title_is_searched_like_text(store: Store) -> None:
    await store.index("acme", [document("zebra", "of stripes", axis=1), document("b", "of spots", axis=1)], MODEL)
    assert (await find(store, "zebra"))[0] == "zebra#0"


async def test_each_source_has_its_limit_and_an_unknown_one_is_empty(store: Store) -> None:
    await store.index("acme", [document(f"d{i}", f"pump {i}") for i in range(5)], MODEL)
    await store.index("acme", [document(f"c{i}", f"pump c{i}", source="code") for i in range(5)], MODEL)
    sources = [SourceQuery(name, SourceKind.DOCS, limit) for name, limit in [("docs", 2), ("code", 3), ("none", 4)]]
    found = await store.search("acme", query("pump", *sources), rank)
    assert sorted(f.passage.document.source for f in found.passages) == ["code"] * 3 + ["docs"] * 2
    fused = [f.scores.fused for f in found.passages]
    assert fused == sorted(fused, reverse=True)


async def test_the_same_text_takes_one_place(store: Store) -> None:
    await store.index(
        "acme", [document("a", "same pump"), document("b", "same pump"), document("c", "other pump")], MODEL
    )
    found = await store.search("acme", query("pump", SourceQuery("docs", SourceKind.DOCS, 2)), rank)
    assert sorted((f.passage.document.document_id, f.duplicate_of) for f in found.passages) == [
        ("a", None),
        ("b", "a#0"),
        ("c", None),
    ]


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        pytest.param([], "abcd", id="none"),
        pytest.param([("language", ["en"])], "ab", id="one value"),
        pytest.param([("language", ["en", "de"])], "abc", id="any of two"),
        pytest.param([("language", ["en"]), ("level", ["2"])], "b", id="both conditions"),
        pytest.param([("language", ["fr"])], "", id="nobody has it"),
        pytest.param([("none", ["en"])], "", id="unknown key"),
        pytest.param([("language", [])], "", id="no value"),
        pytest.param([("languag", ["een"])], "", id="the key's end is not the value's begin"),
    ],
)
async def test_conditions_hold_together(store: Store, conditions: list[tuple[str, list[str]]], expected: str) -> None:
    await store.index(
        "acme",
        [
            document("a", "pump a", language="en", level="1"),
            document("b", "pump b", language="en", level="2"),
            document("c", "pump c", language="de", level="2"),
            document("d", "pump d"),
        ],
        MODEL,
    )
    asked = query("pump", conditions=[Condition(key, tuple(values)) for key, values in conditions])
    assert sorted(names(await store.search("acme", asked, rank))) == [f"{name}#0" for name in expected]


async def test_conditions_come_before_ranking(store: Store) -> None:
    better = [document(f"better{i}", f"pump pump pump {i}") for i in range(300)]
    await store.index("acme", [*better, document("wanted", "a long text on a pump", axis=1, group="mine")], MODEL)
    asked = query("pump", SourceQuery("docs", SourceKind.DOCS, 1), conditions=[Condition("group", ("mine",))])
    assert names(await store.search("acme", asked, rank)) == ["wanted#0"]


@pytest.mark.parametrize("question", ["", "the of and", "xyzzy", "' \" OR 1=1; --"], ids=repr)
async def test_a_question_without_known_words_is_answered_by_meaning(store: Store, question: str) -> None:
    await store.index("acme", [document("far", "pump", axis=1), document("near", "valve", axis=2)], MODEL)
    assert (await find(store, question, axis=2))[0] == "near#0"


async def test_an_empty_corpus_answers_with_nothing(store: Store) -> None:
    assert await find(store, "pump") == []
    await store.index("acme", [document("a", "pump")], MODEL)
    await store.delete("acme", ["a"])
    assert await find(store, "pump") == []


# Tenants


async def test_a_tenant_is_a_wall(store: Store) -> None:
    await store.index("acme", [document("a", "secret pump")], MODEL)
    await store.index("other", [document("b", "public pump")], MODEL)
    assert await find(store, "pump", tenant="other") == ["b#0"]
    assert await store.get("other", "a") is None
    assert await store.delete("other", ["a"]) == ([], await store.corpus_version("other"))
    assert [d.document_id for d in (await store.list("other", page_size=9)).documents] == ["b"]
    assert await find(store, "pump") == ["a#0"]


async def test_words_of_other_tenants_do_not_weigh(store: Store) -> None:
    await store.index("acme", [document("a", "pump valve"), document("b", "pump seal")], MODEL)
    before = (await store.search("acme", query("pump valve"), rank)).passages
    await store.index("other", [document(f"d{i}", "valve") for i in range(20)], MODEL)
    assert (await store.search("acme", query("pump valve"), rank)).passages == before


@pytest.mark.parametrize("tenant", ["", "../acme", "a/b", "A", "-a", "a.b", "a" * 64, "a\n", "é"], ids=repr)
async def test_a_name_that_is_none_is_refused(store: Store, tenant: str) -> None:
    with pytest.raises(InvalidTenantError):
        await store.get(tenant, "a")
    with pytest.raises(InvalidTenantError):
        await store.index(tenant, [document("a", "pump")], MODEL)


# The model


async def test_vectors_of_two_models_do_not_meet(store: Store) -> None:
    await store.index("acme", [document("a", "pump")], MODEL)
    with pytest.raises(EmbeddingModelMismatchError, match=r"'model-a'.*'model-b'"):
        await store.index("acme", [document("b", "pump")], OTHER_MODEL)
    with pytest.raises(EmbeddingModelMismatchError, match=r"'model-a'.*'model-b'"):
        await store.search("acme", query("pump", model=OTHER_MODEL), rank)
    assert await find(store, "pump") == ["a#0"]


async def test_an_emptied_corpus_takes_another_model(store: Store) -> None:
    await store.index("acme", [document("a", "pump")], MODEL)
    await store.delete("acme", ["a"])
    await store.index("acme", [document("a", "pump")], OTHER_MODEL)
    assert names(await store.search("acme", query("pump", model=OTHER_MODEL), rank)) == ["a#0"]


# Many at once


async def test_another_process_sees_a_write_at_its_next_query(open_store: Opener) -> None:
    writer, reader = await open_store(), await open_store()
    await writer.index("acme", [document("a", "old pump")], MODEL)
    assert await find(reader, "pump") == ["a#0"]
    await writer.index("acme", [document("a", "new valve", content_hash="h2"), document("b", "pump")], MODEL)
    found = await reader.search("acme", query("pump valve"), rank)
    assert sorted(f.passage.text for f in found.passages) == ["new valve", "pump"]
    assert found.corpus_version == await writer.corpus_version("acme")
    await reader.delete("acme", ["b"])
    assert await find(writer, "pump") == ["a#0"]


async def test_a_document_that_changes_is_always_seen_once(open_store: Opener) -> None:
    writer, reader = await open_store(), await open_store()
    await writer.index("acme", [document("a", "pump 0", "pump 0 more", content_hash="h0")], MODEL)

    async def write() -> None:
        for i in range(1, 40):
            await writer.index("acme", [document("a", f"pump {i}", f"pump {i} more", content_hash=f"h{i}")], MODEL)

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
    await asyncio.gather(*(stores[i % 2].index("acme", [document(f"d{i:02}", f"pump {i}")], MODEL) for i in range(40)))
    for store in stores:
        page = await store.list("acme", page_size=100)
        assert [d.document_id for d in page.documents] == [f"d{i:02}" for i in range(40)]
        assert len(await find(store, "pump", SourceQuery("docs", SourceKind.DOCS, 100))) == 40
