"""The prepared passage as bytes."""

import dataclasses

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.compressor.prepare import prepare
from services.compressor.prepared import (
    COUNTED_ENCODINGS,
    Column,
    PassageSignals,
    PreparedError,
    PreparedErrorKind,
    pack,
    quantise,
    restore,
    unpack,
)
from services.compressor.units import split_units
from services.text.tokens import encoding_for

ENCODINGS = [encoding_for(name) for name in COUNTED_ENCODINGS]
TEXT = "Ada Byrne kept the light. She never slept. In 1874 the tower burned."


def signals(text=TEXT, dimension=384) -> PassageSignals:
    units = split_units(text, "docs")
    vectors = np.random.default_rng(1).normal(size=(len(units), dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return prepare("Light", text, units, vectors, ENCODINGS)


def same(left: PassageSignals, right: PassageSignals) -> bool:
    pairs = ((getattr(left, f.name), getattr(right, f.name)) for f in dataclasses.fields(PassageSignals))
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize(
    ("text", "dimension"),
    [
        pytest.param(TEXT, 384, id="vectors"),
        pytest.param(TEXT, 0, id="no-vectors"),
        pytest.param("", 384, id="no-units"),
        pytest.param("東京。👩‍👩‍👧。", 16, id="beyond-ascii"),
    ],
)
def test_what_is_packed_comes_back(text, dimension):
    original = signals(text, dimension)
    assert same(unpack(pack(original)), original)


def test_reading_copies_nothing():
    data = pack(signals())
    for array in (unpack(data).table, unpack(data).terms, unpack(data).steps):
        assert not array.flags.owndata
        assert not array.flags.writeable


@settings(max_examples=300, deadline=None)
@given(at=st.integers(0), flip=st.integers(1, 255))
@example(at=6, flip=1)  # the lowest bit of the vectors' width, which no checksum covers
def test_no_altered_byte_goes_unseen(at, flip):
    data = bytearray(pack(signals()))
    data[at % len(data)] ^= flip
    with pytest.raises(PreparedError):
        unpack(bytes(data))


@given(data=st.binary(max_size=200))
def test_foreign_bytes_are_an_error_of_ours(data):
    for candidate in (data, b"SCPP" + data, b"SCPP\x02\x00" + data):
        with pytest.raises(PreparedError):
            unpack(candidate)


@pytest.mark.parametrize("length", [0, 3, 51, 52, 60, -1])
def test_cut_bytes_are_damaged(length):
    with pytest.raises(PreparedError) as caught:
        unpack(pack(signals())[:length])
    assert caught.value.kind is PreparedErrorKind.DAMAGED


def test_another_version_is_told_from_damage():
    data = bytearray(pack(signals()))
    data[4] += 1
    with pytest.raises(PreparedError) as caught:
        unpack(bytes(data))
    assert caught.value.kind is PreparedErrorKind.OTHER_VERSION


def test_what_is_known_of_a_unit():
    table = signals().table
    assert [TEXT[a:b] for a, b in table[:, [Column.START, Column.END]]] == [
        "Ada Byrne kept the light.",
        "She never slept.",
        "In 1874 the tower burned.",
    ]
    assert table[:, Column.TOKENS].tolist() == [
        ENCODINGS[0].count(f" {TEXT[a:b]}\n") for a, b in table[:, [Column.START, Column.END]]
    ]


def test_it_is_compact():
    text = " ".join(f"Sentence number {i} of the passage says something about Ada Byrne in 1874." for i in range(6))
    original = signals(text)
    assert len(pack(original)) / original.unit_count <= 350


def test_quantised_vectors_keep_their_cosines():
    vectors = np.random.default_rng(2).normal(size=(50, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    restored = restore(*quantise(vectors))
    assert np.abs(restored @ vectors.T - vectors @ vectors.T).max() < 0.04
    np.testing.assert_allclose(np.linalg.norm(restored, axis=1), 1, rtol=1e-6)


def test_two_values_share_a_byte_the_first_in_the_low_half():
    steps, scales = quantise(np.array([[-7, 7, 0, 1], [0, 0, 0, 0]], np.float32) / np.sqrt(np.float32(99)))
    assert steps.tolist() == [[0xF1, 0x98], [0x88, 0x88]]
    np.testing.assert_allclose(scales, [1 / np.sqrt(99), 0])
    np.testing.assert_allclose(restore(steps, scales)[1], 0)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(TEXT, id="one line"),
        pytest.param(f" {TEXT}", id="white space before it"),
        pytest.param(f"{TEXT}\n", id="white space behind it"),
        pytest.param("# Light\n\nAda kept it. She never slept!\n\n- oil\n- wicks", id="lines"),
        pytest.param("Quaid. He was cast.", id="a first unit of one word"),
        pytest.param("", id="empty"),
    ],
)
def test_the_whole_text_is_counted_exactly(text):
    units = split_units(text, "docs")
    counts = prepare("Light", text, units, None, ENCODINGS).text_tokens
    assert counts == tuple(encoding.count(f"{text}\n") for encoding in ENCODINGS)
