from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.text.encoder import WINDOW, EncodeInput, _owners, _windows
from services.text.sentences import split_sentences

if TYPE_CHECKING:
    from services.text.encoder import Encoder

_TEXT = "Paris is the capital of France. Cats purr when they are content. Two million people live in the city."


def test_near_meanings_have_near_vectors(encoder: Encoder) -> None:
    question, near, far = encoder.encode(
        ["How many people live in Paris?", "The population of Paris is two million.", "Cats purr when content."]
    )
    assert question @ near > 0.6
    assert question @ far < 0.2


@pytest.mark.parametrize(
    "texts",
    [[], [""], ["a", "", "b c"], ["word " * 2_000], ["\x00\ufffd"]],
    ids=["none", "empty", "three", "long", "odd"],
)
def test_vectors_are_unit_rows(encoder: Encoder, texts: list[str]) -> None:
    vectors = encoder.encode(texts)
    assert vectors.shape == (len(texts), encoder.dimension)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)


def test_a_vector_does_not_depend_on_its_company(encoder: Encoder) -> None:
    alone = encoder.encode(["a cat"])
    assert np.array_equal(alone[0], encoder.encode(["a much longer text about dogs and their habits", "a cat"])[1])


def test_a_passage_and_its_title_are_one_text(encoder: Encoder) -> None:
    [vectors] = encoder.encode_passages([_passage("Paris", _TEXT)])
    np.testing.assert_allclose(vectors.passage, encoder.encode([f"Paris: {_TEXT}"])[0], atol=1e-5)


def test_sentences_are_told_apart(encoder: Encoder) -> None:
    [vectors] = encoder.encode_passages([_passage("Paris", _TEXT)])
    questions = encoder.encode(["capital of France", "why do cats purr", "how many people live in the city"])
    assert (questions @ vectors.sentences.T).argmax(axis=1).tolist() == [0, 1, 2]


def test_every_sentence_of_a_long_passage_is_read(encoder: Encoder) -> None:
    filler = "The committee met in spring and talked about the weather for hours. " * 40
    passage = _passage("Minutes", f"{filler} Cats purr when they are content.")
    [vectors] = encoder.encode_passages([passage])
    assert vectors.sentences.shape == (len(passage.sentences), encoder.dimension)
    assert (vectors.sentences @ encoder.encode(["why do cats purr"])[0]).argmax() == len(passage.sentences) - 1


@pytest.mark.parametrize(
    ("title", "text", "sentences"),
    [
        pytest.param("", "", [], id="nothing"),
        pytest.param("Title", "", [], id="title only"),
        pytest.param("", "\x01 cat", [(0, 1), (2, 5)], id="a sentence without tokens"),
        pytest.param("t" * 9_000, "cat", [(0, 3)], id="a title longer than the window"),
        pytest.param("word " * 9_000, "cat", [(0, 3)], id="a title of many words"),
        pytest.param("", "雨" * 400, [(0, 400)], id="a sentence longer than the window"),
        pytest.param("", "cat dog bird", [(4, 7)], id="text outside of sentences"),
    ],
)
def test_odd_passages_have_vectors(encoder: Encoder, title: str, text: str, sentences: list[tuple[int, int]]) -> None:
    [vectors] = encoder.encode_passages([EncodeInput(title, text, sentences)])
    assert vectors.sentences.shape == (len(sentences), encoder.dimension)
    np.testing.assert_allclose(np.linalg.norm([vectors.passage, *vectors.sentences], axis=1), 1, rtol=1e-5)


def test_offsets_are_code_points(encoder: Encoder) -> None:
    # Astral characters, and letters that normalise to more or fewer code points, stand before the sentences.
    text = f"😀İﬁ\u0301 {_TEXT}"
    [vectors] = encoder.encode_passages(
        [EncodeInput("Paris", text, [(s + 6, e + 6) for s, e in split_sentences(_TEXT)])]
    )
    [plain] = encoder.encode_passages([_passage("Paris", _TEXT)])
    assert (np.sum(vectors.sentences * plain.sentences, axis=1) > 0.8).all()
    assert (vectors.sentences @ plain.sentences.T).argmax(axis=1).tolist() == [0, 1, 2]


def test_tokens_belong_to_the_sentence_they_start_in() -> None:
    offsets = [(0, 2), (2, 5), (6, 9), (10, 12)]
    assert _owners(offsets, [(0, 5), (6, 9)]).tolist() == [0, 0, 1, -1]
    assert _owners(offsets, [(6, 9)]).tolist() == [-1, -1, 0, -1]
    assert _owners(offsets, []).tolist() == [-1, -1, -1, -1]


@given(st.lists(st.integers(1, 40), max_size=30), st.integers(1, WINDOW))
@settings(max_examples=200, deadline=None)
def test_windows_cover_all_tokens_and_keep_sentences_whole(lengths: list[int], room: int) -> None:
    owners = np.repeat(np.arange(len(lengths)), lengths).astype(np.intp)
    windows = list(_windows(owners, room))
    assert [index for begin, end in windows for index in range(begin, end)] == list(range(len(owners)))
    assert all(end - begin <= room for begin, end in windows)
    cut = {int(owners[end]) for _, end in windows[:-1] if owners[end] == owners[end - 1]}
    assert all(lengths[sentence] > room for sentence in cut)


def _passage(title: str, text: str) -> EncodeInput:
    return EncodeInput(title, text, split_sentences(text))
