"""What every store promises of erasure: by subject, by tenant, by time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from services.selector.caller import EVERYBODY
from tests.contract.corpora import MODEL, NOBODY, NOW, OTHER_MODEL, document, find, index

if TYPE_CHECKING:
    from services.selector.ports import Store
    from tests.contract.stores import Opener


async def test_a_subject_is_erased_from_all_documents_that_carry_it(store: Store) -> None:
    await index(
        store,
        document("a", "pump one", "pump two", record={"subjects": ("ada", "zoe")}),
        document("b", "pump three", record={"subjects": ("zoe",), "acl_groups": ("board",)}),
        document("c", "pump four", record={"subjects": ("zoe2", "Zoe")}),
        document("d", "pump five"),
    )
    await index(store, document("a", "of another", record={"subjects": ("zoe",)}), tenant="other")
    before = await store.corpus_version("acme")
    removal = await store.erase_subject("acme", "zoe")
    assert sorted(removal.document_ids) == ["a", "b"]
    assert removal.passage_count == 3
    assert removal.corpus_version > before
    assert await store.corpus_version("acme") == removal.corpus_version
    assert sorted(await find(store, "pump")) == ["c#0", "d#0"]
    assert await store.get("acme", "a", EVERYBODY) is None
    assert await find(store, "another", tenant="other") == ["a#0"]


async def test_erasing_a_subject_again_changes_nothing_but_the_version(store: Store) -> None:
    before, *_ = await index(store, document("a", "pump"))
    first = await store.erase_subject("acme", "zoe")
    second = await store.erase_subject("acme", "zoe")
    assert (first.document_ids, second.document_ids) == ((), ())
    assert before < first.corpus_version < second.corpus_version
    assert (first.previous_version, second.previous_version) == (before, first.corpus_version)
    assert await find(store, "pump") == ["a#0"]


async def test_of_an_erased_tenant_only_the_version_stays(store: Store) -> None:
    await index(store, document("a", "pump", "valve"), document("b", "pump", record={"acl_groups": ("board",)}))
    await index(store, document("a", "pump"), tenant="other")
    before = await store.corpus_version("acme")
    removal = await store.erase_tenant("acme")
    assert sorted(removal.document_ids) == ["a", "b"]
    assert removal.passage_count == 3
    assert await store.corpus_version("acme") == removal.corpus_version > before == removal.previous_version
    assert list(await store.tenants()) == ["other"]
    assert await store.model("acme") is None
    stats = await store.stats("acme", EVERYBODY)
    assert (stats.sources, stats.model, stats.reindexing) == ((), None, None)
    assert await find(store, "pump") == []
    assert await find(store, "pump", tenant="other") == ["a#0"]


async def test_an_erased_tenant_begins_anew_with_any_model_and_a_greater_version(store: Store) -> None:
    await index(store, document("a", "pump"))
    erased = (await store.erase_tenant("acme")).corpus_version
    version, replaced, previous = await store.index("acme", [document("a", "pump")], OTHER_MODEL, NOBODY)
    assert version > erased
    assert (replaced, previous) == (0, erased)
    assert await store.model("acme") == OTHER_MODEL


async def test_another_process_sees_an_erasure_at_its_next_query(open_store: Opener) -> None:
    writer, reader = await open_store(), await open_store()
    await index(writer, document("a", "pump", record={"subjects": ("zoe",)}), document("b", "pump"))
    assert sorted(await find(reader, "pump")) == ["a#0", "b#0"]
    await writer.erase_subject("acme", "zoe")
    assert await find(reader, "pump") == ["b#0"]
    await writer.erase_tenant("acme")
    assert await find(reader, "pump") == []
    await index(writer, document("c", "pump"))
    assert await find(reader, "pump") == ["c#0"]
    assert await reader.model("acme") == MODEL


async def test_what_has_expired_is_removed(store: Store) -> None:
    version, *_ = await index(
        store,
        document("past", "pump", "seal", record={"expires_at": NOW - timedelta(days=1)}),
        document("now", "valve", record={"expires_at": NOW, "acl_groups": ("board",)}),
        document("later", "pump", record={"expires_at": NOW + timedelta(microseconds=1)}),
        document("never", "pump"),
    )
    removal = await store.remove_expired("acme", NOW)
    assert sorted(removal.document_ids) == ["now", "past"]
    assert removal.passage_count == 3
    assert removal.corpus_version > version
    page = await store.list("acme", EVERYBODY, page_size=10)
    assert [d.document_id for d in page.documents] == ["later", "never"]
    again = await store.remove_expired("acme", NOW)
    assert (again.document_ids, again.corpus_version) == ((), removal.corpus_version)
