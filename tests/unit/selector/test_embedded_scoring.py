"""Scoring shortcuts give what the long way gives."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.selector.embedded import scoring
from services.selector.embedded.scoring import best, vector_scores
from services.selector.embedded.segment import Segment, StoredSignals
from services.selector.embedded.signals import make_signals
from services.selector.embedded.snapshot import Snapshot
from services.selector.passage import Document, IndexedDocument, Passage, SourceKind


@given(st.integers(0, 2000), st.integers(1, 40), st.integers(1, 50), st.floats(0, 1), st.integers(0, 9))
def test_the_best_are_those_of_a_full_sort(rows: int, count: int, values: int, share: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    scores = random.integers(0, values, rows).astype(np.float32)
    among = random.random(rows) < share
    expected = sorted(np.flatnonzero(among).tolist(), key=lambda row: (-scores[row], row))[:count]
    assert sorted(best(scores, among, count).tolist()) == sorted(expected)


def test_the_best_are_found_where_the_sample_misleads() -> None:
    scores = np.zeros(4000, np.float32)
    scores[::16] = np.arange(250)  # all that is good is in the sample
    found = best(scores, np.ones(4000, np.bool_), 400)
    assert len(found) == 400
    assert set(range(16, 4000, 16)) <= set(found.tolist())


def snapshot(sizes: list[int]) -> Snapshot:
    random = np.random.default_rng(1)
    made = Snapshot(version=1, last_number=0)
    for number, size in enumerate(sizes, 1):
        record = Document(f"{number}", "docs", SourceKind.DOCS, "", "", "h", 0)
        vectors = random.standard_normal((size, 8)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        passages = tuple(Passage(record, ordinal, (), "", 0, 0) for ordinal in range(size))
        signals = make_signals(IndexedDocument(record, passages, vectors))
        stored = StoredSignals(number, size, "docs", None, None, signals)
        made = made.extended(Segment.build([stored], 8), number)
    return made


@pytest.mark.parametrize("busy", [False, True], ids=["helper free", "helper busy"])
@pytest.mark.parametrize("sizes", [[], [1], [30, 7, 1]], ids=str)
def test_two_threads_score_each_vector(monkeypatch: pytest.MonkeyPatch, sizes: list[int], busy: bool) -> None:
    monkeypatch.setattr(scoring, "_BLOCK", 4)
    monkeypatch.setattr(scoring, "_SHARED", 0)
    searched = snapshot(sizes)
    vector = np.eye(1, 8, dtype=np.float32)[0]
    free = Event()
    with ThreadPoolExecutor(1) as helper:
        if busy:
            helper.submit(free.wait)
        with vector_scores(searched, vector, helper) as scores:
            pass
        free.set()
    expected = [segment.vectors @ vector for segment in searched.segments]
    assert scores == pytest.approx(np.concatenate(expected) if expected else [])


def test_a_failure_beside_the_scores_leaves_the_helper_free() -> None:
    with ThreadPoolExecutor(1) as helper:
        with (
            pytest.raises(ZeroDivisionError),
            vector_scores(snapshot([5]), np.eye(1, 8, dtype=np.float32)[0], helper),
        ):
            raise ZeroDivisionError
        assert helper.submit(int).result() == 0
