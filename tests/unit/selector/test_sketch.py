"""Sketches: which texts say the same."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.selector.sketch import SIZE, alike, buckets, make_sketch
from services.text.terms import analyse

TEXT = """The gateway keeps a connection to every selector and sends each question to the one that answers
fastest. When a selector does not answer within 200 ms the question goes to another one, and the
first is asked again after a while. Operators see in the metrics how often this happens, by selector
and by reason, and an alert is raised in Berlin where more than 5 % of the questions of an hour had
to be sent twice. Nothing of this is visible to those who ask: the answer is the same, only a little
later, and it is never counted twice in the report that the accounting department receives. The
connection is closed when the service stops, after the questions under way were answered or their
time was over."""

WORDS = "herons wait near water until fish come close while frogs sleep under leaves and wind moves reeds along shores"


def sketch(text: str) -> NDArray[np.uint16]:
    return make_sketch(analyse(text), text)


def are_alike(one: str, other: str) -> bool:
    return bool(alike(sketch(one), sketch(other)[np.newaxis])[0])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("", "", id="the same"),
        pytest.param("\n", " ", id="line breaks"),
        pytest.param("metrics how", "*metrics*, how", id="mark-up and punctuation"),
        pytest.param("The gateway", "THE gateway", id="letter case"),
        pytest.param("a little later", "somewhat later", id="a word"),
    ],
)
def test_alike(old: str, new: str) -> None:
    assert are_alike(TEXT, TEXT.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("200 ms", "300 ms", id="a number"),
        pytest.param("5 %", "0.5 %", id="a decimal"),
        pytest.param("5 %", "-5 %", id="a sign"),
        pytest.param("5 %", "five %", id="a number in words"),
        pytest.param("does not answer", "does answer", id="a negation"),
        pytest.param("is visible", "isn't visible", id="a contracted negation"),
        pytest.param("more than", "less than", id="a comparison"),
        pytest.param("after a while", "before a while", id="an order"),
        pytest.param("in Berlin", "in Rome", id="a name"),
        pytest.param("keeps a connection", "keeps a connection to v2", id="a version more"),
    ],
)
def test_texts_of_other_facts_are_not_alike_however_small_the_difference(old: str, new: str) -> None:
    assert old in TEXT
    assert not are_alike(TEXT + TEXT, TEXT + TEXT.replace(old, new))


def test_a_half_is_not_like_the_whole() -> None:
    assert not are_alike(WORDS, WORDS[: len(WORDS) // 2])


def test_the_order_of_words_counts() -> None:
    assert not are_alike(WORDS, " ".join(reversed(WORDS.split())))


@given(st.lists(st.integers(0, 9999), min_size=1, max_size=5), st.integers(0, 4), st.integers(1, 10_000))
def test_texts_that_differ_in_a_number_are_never_alike(numbers: list[int], at: int, change: int) -> None:
    other = list(numbers)
    other[at % len(numbers)] += change
    one, two = (TEXT + " ".join(f"port {number} is open" for number in given) for given in (numbers, other))
    assert not are_alike(one, two)


@given(st.text(max_size=200))
def test_every_text_has_a_sketch_and_is_like_itself(text: str) -> None:
    assert sketch(text).shape == (SIZE,)
    assert are_alike(text, text)


@given(st.sets(st.integers(0, 31), max_size=4), st.integers(0, 1 << 16))
def test_those_that_are_alike_share_a_bucket(changed: set[int], seed: int) -> None:
    one = np.random.default_rng(seed).integers(0, 1 << 16, SIZE, np.uint16)
    other = one.copy()
    other[[4 + column for column in changed]] ^= 1
    same = bool(alike(one, other[np.newaxis])[0])
    shared = bool(np.any(np.equal(*buckets(np.stack([one, other])))))
    assert same == (len(changed) <= 2)
    assert shared or not same


def test_different_texts_share_no_bucket() -> None:
    keys = buckets(np.stack([sketch(text) for text in TEXT.split(".")]))
    assert not any(np.any(one == other) for one, other in combinations(keys, 2))
