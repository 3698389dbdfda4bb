"""What every store promises of the embedding model, and of its change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from services.selector.caller import EVERYBODY
from services.selector.errors import EmbeddingModelMismatchError, InvalidDocumentError
from services.selector.passage import EmbeddingModel
from services.selector.query import Reindexing
from services.selector.selection import rank
from tests.contract.corpora import AXES, MODEL, OTHER_MODEL, document, find, index, names, query

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from services.selector.ports import Store
    from services.selector.query import Selection, StaleDocument
    from tests.contract.stores import Opener


def by_axis(document: StaleDocument, axis: int) -> tuple[StaleDocument, NDArray[np.float32]]:
    """New vectors for a stale document."""
    return document, np.repeat(AXES[axis : axis + 1], len(document.passages), axis=0)


async def search(store: Store, model: EmbeddingModel, *, axis: int = 0) -> Selection:
    return await store.search("acme", query("pump", model=model, axis=axis), rank)


async def move(store: Store, *, axis: int) -> None:
    """Do all of a change to the other model."""
    while stale := await store.stale("acme", OTHER_MODEL, 2):
        await store.add_vectors("acme", OTHER_MODEL, [by_axis(item, axis) for item in stale])
    assert await store.adopt("acme", OTHER_MODEL)


async def test_vectors_of_two_models_do_not_meet(store: Store) -> None:
    await index(store, document("a", "pump"))
    with pytest.raises(EmbeddingModelMismatchError, match=r"'model-a'.*'model-b'"):
        await store.index("acme", [document("b", "pump")], OTHER_MODEL, EVERYBODY)
    with pytest.raises(EmbeddingModelMismatchError, match=r"'model-a'.*'model-b'"):
        await search(store, OTHER_MODEL)
    assert await find(store, "pump") == ["a#0"]
    assert await store.model("acme") == MODEL


async def test_an_emptied_corpus_takes_another_model(store: Store) -> None:
    await index(store, document("a", "pump"))
    await store.delete("acme", ["a"], EVERYBODY)
    await store.index("acme", [document("a", "pump")], OTHER_MODEL, EVERYBODY)
    assert names(await search(store, OTHER_MODEL)) == ["a#0"]
    assert await store.model("acme") == OTHER_MODEL


async def test_stale_documents_come_in_order_with_their_passages(store: Store) -> None:
    given = [document(name, f"pump {name}", "seal", record={"acl_groups": ("board",)}) for name in "cab"]
    await index(store, *given, document("empty"))
    assert await store.stale("acme", MODEL, 5) == []
    stale = await store.stale("acme", OTHER_MODEL, 2)
    assert [(s.document_id, s.content_hash) for s in stale] == [("a", "h1"), ("b", "h1")]
    assert [[p.text for p in s.passages] for s in stale] == [["pump a", "seal"], ["pump b", "seal"]]
    assert stale[0].passages[1].passage_id == "a#1"
    await store.add_vectors("acme", OTHER_MODEL, [by_axis(s, 1) for s in stale])
    assert [s.document_id for s in await store.stale("acme", OTHER_MODEL, 2)] == ["c"]


async def test_the_old_vectors_serve_until_the_new_are_complete(store: Store) -> None:
    await index(store, document("a", "one", axis=1), document("b", "two", axis=2))
    stale = await store.stale("acme", OTHER_MODEL, 1)
    await store.add_vectors("acme", OTHER_MODEL, [by_axis(s, 3) for s in stale])
    assert not await store.adopt("acme", OTHER_MODEL)
    assert (await store.stats("acme", EVERYBODY)).reindexing == Reindexing(OTHER_MODEL, done=1, total=2)
    assert names(await search(store, MODEL, axis=2))[0] == "b#0"
    with pytest.raises(EmbeddingModelMismatchError):
        await search(store, OTHER_MODEL)
    await move(store, axis=3)
    with pytest.raises(EmbeddingModelMismatchError):
        await search(store, MODEL)
    found = await search(store, OTHER_MODEL, axis=3)
    assert [f.scores.dense for f in found.passages] == pytest.approx([1, 1])
    stats = await store.stats("acme", EVERYBODY)
    assert (stats.model, stats.reindexing) == (OTHER_MODEL, None)


async def test_a_document_that_changed_meanwhile_is_stale_again(store: Store) -> None:
    await index(store, document("a", "old"), document("b", "kept"), document("c", "gone"))
    stale = await store.stale("acme", OTHER_MODEL, 5)
    await index(store, document("a", "new", content_hash="h2"))
    await store.delete("acme", ["c"], EVERYBODY)
    await store.add_vectors("acme", OTHER_MODEL, [by_axis(s, 1) for s in stale])
    assert [s.document_id for s in await store.stale("acme", OTHER_MODEL, 5)] == ["a"]
    await move(store, axis=1)
    # What came in with a vector, and was then replaced, is stale as well.
    assert sorted(names(await search(store, OTHER_MODEL, axis=1))) == ["a#0", "b#0"]


async def test_what_is_written_during_a_change_waits_for_its_vectors(store: Store) -> None:
    await index(store, document("a", "pump"))
    await store.add_vectors("acme", OTHER_MODEL, [by_axis(s, 1) for s in await store.stale("acme", OTHER_MODEL, 5)])
    await index(store, document("a", "valve", content_hash="h2"), document("b", "pump"))
    assert not await store.adopt("acme", OTHER_MODEL)
    assert [s.document_id for s in await store.stale("acme", OTHER_MODEL, 5)] == ["a", "b"]


async def test_another_model_begins_anew(store: Store) -> None:
    await index(store, document("a", "pump"))
    await store.add_vectors("acme", OTHER_MODEL, [by_axis(s, 1) for s in await store.stale("acme", OTHER_MODEL, 5)])
    third = EmbeddingModel("model-c", 2)
    (stale,) = await store.stale("acme", third, 5)
    await store.add_vectors("acme", third, [(stale, np.eye(1, 2, dtype=np.float32))])
    assert [s.document_id for s in await store.stale("acme", OTHER_MODEL, 5)] == ["a"]
    assert await store.adopt("acme", third)
    assert await store.model("acme") == third


async def test_adopting_moves_the_version_once(store: Store) -> None:
    before, *_ = await index(store, document("a", "pump"))
    assert await store.adopt("acme", MODEL)
    assert await store.corpus_version("acme") == before
    await move(store, axis=1)
    after = await store.corpus_version("acme")
    assert after > before
    assert await store.adopt("acme", OTHER_MODEL)
    assert await store.corpus_version("acme") == after


async def test_another_process_sees_the_new_model_at_its_next_query(open_store: Opener) -> None:
    mover, reader = await open_store(), await open_store()
    await index(mover, document("a", "pump", axis=1), document("b", "pump", axis=2))
    assert names(await search(reader, MODEL, axis=2))[0] == "b#0"
    await move(mover, axis=3)
    with pytest.raises(EmbeddingModelMismatchError):
        await search(reader, MODEL)
    found = await search(reader, OTHER_MODEL, axis=3)
    assert [f.scores.dense for f in found.passages] == pytest.approx([1, 1])


async def test_vectors_that_do_not_fit_are_refused(store: Store) -> None:
    await index(store, document("a", "pump", "seal"))
    (stale,) = await store.stale("acme", OTHER_MODEL, 5)
    for vectors in (AXES[:1], np.eye(2, 3, dtype=np.float32), 2 * AXES[:2]):
        with pytest.raises(InvalidDocumentError, match="'a'"):
            await store.add_vectors("acme", OTHER_MODEL, [(stale, vectors)])
