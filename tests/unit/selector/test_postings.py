"""Postings: grouping, selecting and joining keep every pair."""

from collections import defaultdict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.selector.embedded.postings import Postings

Rows = dict[int, dict[int, int]]
"""Row to its keys and their weights."""
keys = st.sampled_from([0, 1, 2, 3, 2**63, 2**64 - 1])
row_sets = st.lists(st.dictionaries(keys, st.integers(1, 65535), max_size=4), max_size=6)


def build(rows: list[dict[int, int]]) -> Postings:
    pairs = [(key, row, weight) for row, own in enumerate(rows) for key, weight in own.items()]
    columns = list(zip(*pairs, strict=True)) or [(), (), ()]
    return Postings.build(
        np.array(columns[0], np.uint64), np.array(columns[1], np.int32), np.array(columns[2], np.uint16)
    )


def content(postings: Postings) -> Rows:
    assert (np.diff(postings.keys.astype(object)) > 0).all()
    found: Rows = defaultdict(dict)
    for key, (start, end) in zip(postings.keys.tolist(), postings.spans(postings.keys), strict=True):
        assert start < end
        for row, weight in zip(postings.rows[start:end].tolist(), postings.weights[start:end].tolist(), strict=True):
            found[row][key] = weight
    return dict(found)


def expected(rows: list[dict[int, int]]) -> Rows:
    return {row: own for row, own in enumerate(rows) if own}


@given(row_sets)
def test_build(rows: list[dict[int, int]]) -> None:
    assert content(build(rows)) == expected(rows)


@given(row_sets, st.lists(keys))
def test_spans_of_absent_keys_are_empty(rows: list[dict[int, int]], wanted: list[int]) -> None:
    lengths = [end - start for start, end in build(rows).spans(np.array(wanted, np.uint64))]
    assert lengths == [sum(key in own for own in rows) for key in wanted]


@given(row_sets, st.data())
def test_select(rows: list[dict[int, int]], data: st.DataObject) -> None:
    live = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    renumbered = np.where(live, np.cumsum(live) - 1, -1).astype(np.int32)
    kept = [own for own, alive in zip(rows, live, strict=True) if alive]
    assert content(build(rows).select(renumbered)) == expected(kept)


@given(st.lists(row_sets, min_size=1, max_size=4))
def test_concatenate(parts: list[list[dict[int, int]]]) -> None:
    joined = Postings.concatenate([build(rows) for rows in parts], [len(rows) for rows in parts])
    assert content(joined) == expected([own for rows in parts for own in rows])
