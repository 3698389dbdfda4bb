"""What every store promises of searching."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from services.selector.caller import EVERYBODY, Caller
from services.selector.errors import StoreError, UnknownFilterKeyError
from services.selector.indexing import fingerprint, passage_terms
from services.selector.passage import SourceKind
from services.selector.query import Condition, SourceQuery
from services.selector.selection import rank
from services.selector.sketch import make_sketch
from tests.contract.corpora import DOCS, MODEL, NOBODY, NOW, document, find, index, names, pick_all, query

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.selector.ports import Store
    from services.selector.query import Candidates, Pick

CODE = SourceQuery("code", SourceKind.CODE, 10)
ALL = SourceQuery("all", SourceKind.DOCS, 10, everywhere=True)


async def test_words_and_meaning_both_find(store: Store) -> None:
    await index(store, document("words", "a pump", axis=1), document("meaning", "nothing of it", axis=2))
    found = await store.search("acme", query("pumps", axis=2), rank)
    scores = {f.passage.document.document_id: f.scores for f in found.passages}
    assert scores["words"].lexical > 0
    assert scores["words"].dense == pytest.approx(0, abs=1e-6)
    assert scores["meaning"].lexical == 0
    assert scores["meaning"].dense == pytest.approx(1)


async def test_a_title_is_searched_like_text(store: Store) -> None:
    await index(store, document("zebra", "of stripes", axis=1), document("b", "of spots", axis=1))
    assert (await find(store, "zebra"))[0] == "zebra#0"


async def test_each_source_has_its_limit_and_an_unknown_one_is_empty(store: Store) -> None:
    await index(store, *[document(f"d{i}", f"pump {i}") for i in range(5)])
    await index(store, *[document(f"c{i}", f"pump c{i}", source="code") for i in range(5)])
    sources = [SourceQuery(name, SourceKind.DOCS, limit) for name, limit in [("docs", 2), ("code", 3), ("none", 4)]]
    found = await store.search("acme", query("pump", *sources), rank)
    assert sorted((f.passage.document.source, f.found_by) for f in found.passages if not f.duplicate_of) == [
        *[("code", "code")] * 3,
        *[("docs", "docs")] * 2,
    ]
    values = [f.scores.value for f in found.passages]
    assert values == sorted(values, reverse=True)


async def test_each_source_is_reported(store: Store) -> None:
    for _ in range(2):
        found = await store.search("acme", query("pump", DOCS, CODE), rank)
        assert [(o.source, o.error_reason) for o in found.sources] == [("docs", ""), ("code", "")]
        assert all(o.seconds >= 0 for o in found.sources)
        await index(store, document("a", "pump"))


async def test_a_late_source_is_named_and_the_others_answer(store: Store) -> None:
    await index(store, document("a", "pump"), document("b", "pump", source="code"))
    found = await store.search("acme", query("pump", replace(DOCS, timeout=0.0), CODE), rank)
    assert names(found) == ["b#0"]
    assert [bool(o.error_reason) for o in found.sources] == [True, False]


async def test_a_search_of_which_nothing_came_in_time_fails(store: Store) -> None:
    await index(store, document("a", "pump"))
    with pytest.raises(StoreError):
        await store.search("acme", query("pump", replace(DOCS, timeout=0.0)), rank)


async def test_a_source_of_everything_is_searched_by_meaning(store: Store) -> None:
    await index(store, *[document(f"w{i}", "pump pump", axis=1) for i in range(3)])
    await index(store, document("near", "valve", axis=2, source="code"), document("off", "seal", axis=3))
    asked = replace(query("pump", replace(ALL, limit=1), axis=2), depth=1)
    found = await store.search("acme", asked, pick_all)
    assert [(f.passage.passage_id, f.found_by) for f in found.passages] == [("near#0", "all")]
    assert names(await store.search("acme", query("pump", ALL, axis=2), rank))[0] == "near#0"


async def test_candidates_tell_what_ranking_needs_to_know(store: Store) -> None:
    created = datetime(2025, 5, 1, 12, tzinfo=UTC)
    given = [
        document("a", "the red pump has 3 seals", "blue pump", record={"created_at": created}),
        document("b", "blue pump", source="code", axis=1),
    ]
    await index(store, *given)
    seen: list[Candidates] = []
    times = []

    def look(candidates: Sequence[Candidates], now: datetime) -> list[Pick]:
        seen.extend(candidates)
        times.append(now)
        return []

    await store.search("acme", query("pump", DOCS, CODE, ALL), look)
    docs, code, everywhere = seen
    assert times == [NOW]
    assert [c.query.source for c in seen] == ["docs", "code", "all"]
    assert [len(c.passages) for c in seen] == [2, 1, 3]
    assert sorted([*docs.passages, *code.passages]) == sorted(everywhere.passages)
    assert len(set(everywhere.passages)) == 3
    assert len(set(docs.documents)) == 1
    assert set(everywhere.documents) == {*docs.documents, *code.documents}
    # Of each passage, whichever position it has.
    passages = {fingerprint(p.text): p for p in given[0].passages}
    assert {int(f) for f in docs.fingerprints} == set(passages)
    for position, text in enumerate(docs.fingerprints):
        passage = passages[int(text)]
        assert np.array_equal(docs.sketches[position], make_sketch(passage_terms(passage), passage.text))
    assert docs.created.tolist() == [created.timestamp()] * 2
    assert np.isnan(code.created).all()
    assert code.cosine == pytest.approx(0, abs=1e-6)


async def test_the_same_text_takes_one_place(store: Store) -> None:
    await index(store, document("a", "same pump"), document("b", "same pump"), document("c", "other pump"))
    found = await store.search("acme", query("pump", replace(DOCS, limit=2)), rank)
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
        pytest.param([("language", [])], "", id="no value"),
        pytest.param([("odd 'key\" ☃", ["\\ value: %"])], "d", id="odd characters"),
    ],
)
async def test_conditions_hold_together(store: Store, conditions: list[tuple[str, list[str]]], expected: str) -> None:
    await index(
        store,
        document("a", "pump a", language="en", level="1"),
        document("b", "pump b", language="en", level="2"),
        document("c", "pump c", language="de", level="2"),
        document("d", "pump d", record={"metadata": {"odd 'key\" ☃": "\\ value: %"}}),
    )
    asked = query("pump", conditions=[Condition(key, tuple(values)) for key, values in conditions])
    assert sorted(names(await store.search("acme", asked, rank))) == [f"{name}#0" for name in expected]


@pytest.mark.parametrize("key", ["none", "languag", "secret", ""], ids=["unknown", "a part", "hidden", "empty"])
async def test_a_condition_on_a_key_that_nothing_carries_is_refused(store: Store, key: str) -> None:
    asked = query("pump", conditions=[Condition(key, ("een", "en"))], caller=NOBODY)
    assert names(await store.search("acme", asked, rank)) == []  # there is nothing at all
    await index(
        store,
        document("a", "pump", language="en"),
        document("b", "pump", secret="en", record={"acl_groups": ("staff",)}),
    )
    with pytest.raises(UnknownFilterKeyError, match=repr(key)):
        await store.search("acme", asked, rank)


async def test_a_key_is_known_to_those_who_see_it(store: Store) -> None:
    await index(store, document("b", "pump", secret="en", record={"acl_groups": ("staff",)}), document("a", "pump"))
    for caller in (EVERYBODY, Caller(frozenset({"staff"}))):
        asked = query("pump", conditions=[Condition("secret", ("en",))], caller=caller)
        assert names(await store.search("acme", asked, rank)) == ["b#0"]


async def test_conditions_come_before_ranking(store: Store) -> None:
    better = [document(f"better{i}", f"pump pump pump {i}") for i in range(300)]
    await index(store, *better, document("wanted", "a long text on a pump", axis=1, group="mine"))
    asked = query("pump", replace(DOCS, limit=1), conditions=[Condition("group", ("mine",))])
    assert names(await store.search("acme", asked, rank)) == ["wanted#0"]


@pytest.mark.parametrize("question", ["", "the of and", "xyzzy", "' \" OR 1=1; --"], ids=repr)
async def test_a_question_without_known_words_is_answered_by_meaning(store: Store, question: str) -> None:
    await index(store, document("far", "pump", axis=1), document("near", "valve", axis=2))
    assert (await find(store, question, axis=2))[0] == "near#0"


async def test_an_empty_corpus_answers_with_nothing(store: Store) -> None:
    assert await find(store, "pump") == []
    await index(store, document("a", "pump"))
    await store.delete("acme", ["a"], EVERYBODY)
    assert await find(store, "pump") == []


async def test_what_has_expired_is_not_found_though_it_is_there(store: Store) -> None:
    await index(
        store,
        document("soon", "pump one", record={"expires_at": NOW}),
        document("later", "pump two", record={"expires_at": NOW + timedelta(seconds=1)}),
        document("never", "pump three"),
    )
    for now, expected in [
        (NOW - timedelta(seconds=1), ["later#0", "never#0", "soon#0"]),
        (NOW, ["later#0", "never#0"]),
        (NOW + timedelta(days=1), ["never#0"]),
    ]:
        assert sorted(names(await store.search("acme", query("pump", now=now), rank))) == expected


async def test_a_turn_of_a_conversation_is_found_by_its_neighbours_words(store: Store) -> None:
    turns = ("Where are the spare gaskets?", "On the upper shelf.", "Thanks a lot.", "Lunch at noon?")
    await store.index("acme", [document("chat", *turns, source="history", kind=SourceKind.HISTORY)], MODEL, EVERYBODY)
    await store.index("acme", [document("manual", *turns)], MODEL, EVERYBODY)
    chat = SourceQuery("history", SourceKind.HISTORY, 10)
    for source, matching in ((chat, {"chat#0", "chat#1"}), (DOCS, {"manual#0"})):
        found = await store.search("acme", query("gaskets", source), rank)
        assert {f.passage.passage_id for f in found.passages if f.scores.lexical > 0} == matching
