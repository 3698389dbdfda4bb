"""What every store promises of records: look-ups, listings, counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.selector.caller import EVERYBODY, Caller
from services.selector.errors import InvalidPageTokenError, InvalidTenantError
from services.selector.passage import SourceKind
from services.selector.query import SourceStats
from tests.contract.corpora import MODEL, NOBODY, NOW, document, index

if TYPE_CHECKING:
    from services.selector.ports import Store


async def test_unchanged_knows_exactly_the_stored_hashes(store: Store) -> None:
    await index(store, document("a", "x", "y"), document("b", "z", content_hash="h2"))
    asked = [("a", "h1"), ("b", "h1"), ("c", "h1")]
    assert await store.unchanged("acme", asked, EVERYBODY) == {"a": 2}
    assert await store.unchanged("other", asked, EVERYBODY) == {}


async def test_listing_goes_by_id_through_all_pages_of_a_source(store: Store) -> None:
    ids = ["B", "a", "a/1", "a/10", "a/2", "é", "漢", "😀"]
    await index(store, *[document(name, "x") for name in reversed(ids)])
    await index(store, document("code.py", "x", source="code", kind=SourceKind.CODE))
    listed, token = [], ""
    while True:
        page = await store.list("acme", EVERYBODY, source="docs", page_token=token, page_size=3)
        assert len(page.documents) <= 3
        listed += [d.document_id for d in page.documents]
        token = page.next_page_token
        if not token:
            break
    assert listed == ids
    everything = await store.list("acme", EVERYBODY, page_size=100)
    assert [d.document_id for d in everything.documents] == sorted([*ids, "code.py"])


async def test_a_page_is_filled_with_what_the_caller_may_see(store: Store) -> None:
    hidden = {"acl_groups": ("staff",)}
    await index(store, *[document(f"{i:02}", "x", record={} if i % 3 == 0 else hidden) for i in range(20)])
    first = await store.list("acme", NOBODY, page_size=4)
    assert [d.document_id for d in first.documents] == ["00", "03", "06", "09"]
    second = await store.list("acme", NOBODY, page_token=first.next_page_token, page_size=4)
    assert [d.document_id for d in second.documents] == ["12", "15", "18"]
    assert not second.next_page_token


async def test_a_page_token_outlives_writes(store: Store) -> None:
    await index(store, *[document(name, "x") for name in "abcd"])
    page = await store.list("acme", EVERYBODY, page_size=2)
    await store.delete("acme", ["b"], EVERYBODY)
    await index(store, document("aa", "x"), document("cc", "x"))
    rest = await store.list("acme", EVERYBODY, page_token=page.next_page_token, page_size=10)
    assert [d.document_id for d in rest.documents] == ["c", "cc", "d"]


@pytest.mark.parametrize("token", ["x", "é", "AAAA", "ZG9jcwph"], ids=["short", "not ascii", "noise", "other source"])
async def test_a_foreign_page_token_is_refused(store: Store, token: str) -> None:
    with pytest.raises(InvalidPageTokenError):
        await store.list("acme", EVERYBODY, source="code", page_token=token, page_size=2)


async def test_stats_count_by_source(store: Store) -> None:
    version, *_ = await index(
        store,
        document("a", "x", "y", source="manuals"),
        document("b", "x", source="manuals", record={"acl_groups": ("staff",)}),
        document("c", source="code"),
        document("d", "x", source="secret", record={"acl_groups": ("board", "staff")}),
    )
    code, secret = SourceStats("code", 1, 0, 10), SourceStats("secret", 1, 1, 10)
    for caller, expected in [
        (NOBODY, (code, SourceStats("manuals", 1, 2, 10))),
        (Caller(frozenset({"board"})), (code, SourceStats("manuals", 1, 2, 10), secret)),
        (EVERYBODY, (code, SourceStats("manuals", 2, 3, 20), secret)),
    ]:
        stats = await store.stats("acme", caller)
        assert stats.sources == expected
        assert (stats.corpus_version, stats.model, stats.reindexing) == (version, MODEL, None)


async def test_a_tenant_that_never_wrote_has_nothing(store: Store) -> None:
    await index(store, document("a", "x"), tenant="other")
    assert await store.corpus_version("acme") == 0
    assert await store.model("acme") is None
    stats = await store.stats("acme", EVERYBODY)
    assert (stats.sources, stats.corpus_version, stats.model) == ((), 0, None)
    assert (await store.delete("acme", ["a"], EVERYBODY)).document_ids == ()
    assert (await store.remove_expired("acme", NOW)).document_ids == ()
    assert (await store.list("acme", EVERYBODY, page_size=5)).documents == []
    assert await store.get("acme", "a", EVERYBODY) is None


async def test_tenants_are_listed_in_order(store: Store) -> None:
    assert list(await store.tenants()) == []
    for tenant in ("b", "a-1", "a"):
        await index(store, document("a", "x"), tenant=tenant)
    assert list(await store.tenants()) == ["a", "a-1", "b"]


@pytest.mark.parametrize("tenant", ["", "../acme", "a/b", "A", "-a", "a.b", "a" * 64, "a\n", "é"], ids=repr)
async def test_a_name_that_is_none_is_refused(store: Store, tenant: str) -> None:
    with pytest.raises(InvalidTenantError):
        await store.get(tenant, "a", EVERYBODY)
    with pytest.raises(InvalidTenantError):
        await index(store, document("a", "pump"), tenant=tenant)
    with pytest.raises(InvalidTenantError):
        await store.erase_tenant(tenant)
