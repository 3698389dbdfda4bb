"""Indexing: the terms that passages are found by."""

import pytest

from services.selector.indexing import passage_terms, search_terms
from services.selector.passage import Document, Passage, SourceKind


def test_a_passage_has_the_terms_of_its_titles_and_of_its_text() -> None:
    document = Document("a", "docs", SourceKind.DOCS, "Handbook", "text/plain", "hash", 1)
    passage = Passage(document, 0, ("Handbook", "Stopping"), "The pumps stop.", 0, 15)
    assert passage_terms(passage) == ["handbook", "stop", "pump", "stop"]


@pytest.mark.parametrize(
    ("kind", "own", "expected"),
    [
        pytest.param(SourceKind.DOCS, [["a"], ["b"], ["c"]], [["a"], ["b"], ["c"]], id="prose: its own"),
        pytest.param(SourceKind.CODE, [["a"], ["b"], ["c"]], [["a"], ["b"], ["c"]], id="code: its own"),
        pytest.param(
            SourceKind.HISTORY,
            [["a"], ["b", "b"], ["c"], ["d"]],
            [["a", "b", "b"], ["a", "b", "b", "c"], ["b", "b", "c", "d"], ["c", "d"]],
            id="a conversation: those of the turns before and after too",
        ),
        pytest.param(SourceKind.HISTORY, [["a"]], [["a"]], id="a single turn"),
        pytest.param(SourceKind.HISTORY, [], [], id="no turn"),
    ],
)
def test_search_terms(kind: SourceKind, own: list[list[str]], expected: list[list[str]]) -> None:
    assert search_terms(kind, own) == expected
