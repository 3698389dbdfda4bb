"""What every store promises of walls: between tenants, and around the documents of groups."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.selector.caller import EVERYBODY, Caller
from services.selector.errors import DocumentForbiddenError
from services.selector.selection import rank
from tests.contract.corpora import DOCS, NOBODY, document, find, index, names, pick_all, query
from tests.contract.stores import STORES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from services.selector.passage import IndexedDocument
    from services.selector.ports import Store

STAFF, BOARD = Caller(frozenset({"staff"})), Caller(frozenset({"board", "unknown"}))
GROUPS = ["staff", "board", "a/b:c", "sta", "Staff", "☃ 'x' \\ *"]


async def test_a_tenant_is_a_wall(store: Store) -> None:
    await index(store, document("a", "secret pump"))
    await index(store, document("b", "public pump"), tenant="other")
    assert await find(store, "pump", tenant="other") == ["b#0"]
    assert await store.get("other", "a", EVERYBODY) is None
    assert (await store.delete("other", ["a"], EVERYBODY)).document_ids == ()
    assert [d.document_id for d in (await store.list("other", EVERYBODY, page_size=9)).documents] == ["b"]
    assert await find(store, "pump") == ["a#0"]


async def test_words_of_other_tenants_do_not_weigh(store: Store) -> None:
    await index(store, document("a", "pump valve"), document("b", "pump seal"))
    before = (await store.search("acme", query("pump valve"), rank)).passages
    await index(store, *[document(f"d{i}", "valve") for i in range(20)], tenant="other")
    assert (await store.search("acme", query("pump valve"), rank)).passages == before


async def test_a_document_of_groups_exists_for_their_members(store: Store) -> None:
    await index(store, document("a", "pump", record={"acl_groups": ("staff", "board")}), document("b", "valve"))
    for caller, seen in [(NOBODY, ["b#0"]), (STAFF, ["a#0", "b#0"]), (BOARD, ["a#0", "b#0"])]:
        assert sorted(await find(store, "pump valve", caller=caller)) == seen


async def test_what_is_hidden_takes_no_place(store: Store) -> None:
    hidden = [document(f"better{i}", f"pump pump {i}", record={"acl_groups": ("board",)}) for i in range(300)]
    await index(store, *hidden, document("wanted", "a long text on a pump", axis=1))
    asked = query("pump", replace(DOCS, limit=1), caller=STAFF)
    assert names(await store.search("acme", asked, rank)) == ["wanted#0"]


@pytest.mark.parametrize("content_hash", ["h1", "h2"], ids=["same content", "other content"])
async def test_a_hidden_document_is_not_replaced(store: Store, content_hash: str) -> None:
    version, *_ = await index(store, document("a", "secret", record={"acl_groups": ("board",)}))
    with pytest.raises(DocumentForbiddenError, match="'a'"):
        await index(store, document("b", "pump"), document("a", "mine", content_hash=content_hash), caller=STAFF)
    assert await store.corpus_version("acme") == version
    assert [d.document_id for d in (await store.list("acme", EVERYBODY, page_size=9)).documents] == ["a"]


async def test_a_hidden_document_is_not_deleted(store: Store) -> None:
    version, *_ = await index(store, document("a", "secret", record={"acl_groups": ("board",)}))
    removal = await store.delete("acme", ["a"], STAFF)
    assert (removal.document_ids, removal.passage_count, removal.corpus_version) == ((), 0, version)
    assert (await store.delete("acme", ["a"], BOARD)).document_ids == ("a",)


async def test_groups_that_change_hide_at_once(store: Store) -> None:
    await index(store, document("a", "pump"))
    assert await find(store, "pump", caller=STAFF) == ["a#0"]
    await index(store, document("a", "pump", content_hash="h2", record={"acl_groups": ("board",)}))
    assert await find(store, "pump", caller=STAFF) == []


# Random tenants, groups, documents and callers

callers = st.one_of(st.just(EVERYBODY), st.frozensets(st.sampled_from(GROUPS), max_size=3).map(Caller))
ids = st.sampled_from("abcdef")


@st.composite
def documents(draw: st.DrawFn) -> IndexedDocument:
    groups = draw(st.lists(st.sampled_from(GROUPS), max_size=2, unique=True))
    fields = {"acl_groups": tuple(groups), "subjects": tuple(draw(st.sets(st.sampled_from(["ada", "zoe"]))))}
    texts = draw(st.lists(st.sampled_from(["pump", "valve seal", "rotor pump"]), max_size=2))
    content_hash = draw(st.sampled_from(["1", "2", "3"]))
    return document(draw(ids), *texts, content_hash=content_hash, axis=draw(st.integers(0, 3)), record=fields)


steps = st.one_of(
    st.tuples(st.just("index"), st.lists(documents(), max_size=3), callers),
    st.tuples(st.just("delete"), st.lists(ids, max_size=3), callers),
    st.tuples(st.just("erase"), st.sampled_from(["ada", "zoe"]), st.just(EVERYBODY)),
    st.tuples(st.just("look"), st.none(), callers),
)
histories = st.lists(st.tuples(st.integers(0, 1), steps), min_size=2, max_size=12)


class Tenant:
    """A tenant of a store, beside what it should hold."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._name = name
        self._held: dict[str, IndexedDocument] = {}

    async def index(self, batch: list[IndexedDocument], caller: Caller) -> None:
        latest = {indexed.document.document_id: indexed for indexed in batch}
        known = [self._held[name] for name in latest if name in self._held]
        if all(caller.may_see(indexed.document.acl_groups) for indexed in known):
            changed = {
                name: indexed
                for name, indexed in latest.items()
                if name not in self._held or self._held[name].document.content_hash != indexed.document.content_hash
            }
            _, replaced, _ = await index(self._store, *batch, tenant=self._name, caller=caller)
            assert replaced == len(changed.keys() & self._held.keys())
            self._held |= changed
        else:
            with pytest.raises(DocumentForbiddenError):
                await index(self._store, *batch, tenant=self._name, caller=caller)

    async def delete(self, names: list[str], caller: Caller) -> None:
        removal = await self._store.delete(self._name, names, caller)
        self._gone(removal.document_ids, [name for name in self._seen(caller) if name in names])

    async def erase(self, subject: str, caller: Caller) -> None:
        removal = await self._store.erase_subject(self._name, subject)
        about = [name for name, indexed in self._held.items() if subject in indexed.document.subjects]
        self._gone(removal.document_ids, about)

    async def look(self, argument: None, caller: Caller) -> None:
        seen = self._seen(caller)
        passages = {p.passage_id: p.text for indexed in seen.values() for p in indexed.passages}
        selection = await self._store.search(self._name, query("pump valve", caller=caller), pick_all)
        assert {f.passage.passage_id: f.passage.text for f in selection.passages} == passages
        page = await self._store.list(self._name, caller, page_size=100)
        assert [d.document_id for d in page.documents] == sorted(seen)
        stats = await self._store.stats(self._name, caller)
        assert sum(source.document_count for source in stats.sources) == len(seen)
        assert sum(source.passage_count for source in stats.sources) == len(passages)
        pairs = [(name, indexed.document.content_hash) for name, indexed in self._held.items()]
        assert await self._store.unchanged(self._name, pairs, caller) == {
            name: len(indexed.passages) for name, indexed in seen.items()
        }
        for name in "abcdef":
            assert (await self._store.get(self._name, name, caller) is not None) == (name in seen)

    def _seen(self, caller: Caller) -> dict[str, IndexedDocument]:
        return {name: held for name, held in self._held.items() if caller.may_see(held.document.acl_groups)}

    def _gone(self, names: tuple[str, ...], expected: list[str]) -> None:
        assert sorted(names) == sorted(expected)
        for name in names:
            del self._held[name]


async def run(store: Store, tenants: list[Tenant], history: list[tuple[int, tuple[str, object, Caller]]]) -> None:
    for tenant, (action, argument, caller) in history:
        step: Callable[[object, Caller], Awaitable[None]] = getattr(tenants[tenant], action)
        await step(argument, caller)
    for tested in tenants:
        for caller in (NOBODY, STAFF, BOARD, EVERYBODY):
            await tested.look(None, caller)


@pytest.mark.parametrize("name", list(STORES))
def test_nobody_ever_sees_what_it_may_not(name: str, tmp_path: Path) -> None:
    numbers = count()
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        store = runner.run(STORES[name].open(stack, tmp_path))

        @settings(max_examples=STORES[name].examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(histories)
        def holds(history: list[tuple[int, tuple[str, object, Caller]]]) -> None:
            # Tenants that no other example uses: opening a store may be slow.
            tenants = [Tenant(store, f"{side}-{next(numbers)}") for side in ("left", "right")]
            runner.run(run(store, tenants, history))

        try:
            holds()
        finally:
            runner.run(stack.aclose())
