"""Above seven tenths of the size, what is said twice goes first, and nothing else as long as that is enough."""

import random

import numpy as np
import pytest

from services.compressor.compress import compress
from services.compressor.passage import CompressInput, Passage
from services.compressor.prepare import prepare
from services.compressor.prepared import COUNTED_ENCODINGS, pack
from services.compressor.units import split_units
from services.text.shortening import Level
from services.text.tokens import encoding_for

ENCODINGS = [encoding_for(name) for name in COUNTED_ENCODINGS]
PLACES = [
    "Ardmore",
    "Baily",
    "Calf Rock",
    "Dunmore",
    "Eagle Island",
    "Fastnet",
    "Galley Head",
    "Hook",
    "Inisheer",
    "Kish",
]
THINGS = ["oil store", "fog signal", "granite tower", "keeper's house", "red lantern", "landing stage", "signal mast"]


def texts(seed: int) -> list[str]:
    """Ten passages of four sentences about one place each, and two that say again what some of them say."""
    chance = random.Random(seed)
    facts = [
        [f"The {thing} of {place} was finished in {chance.randint(1800, 1950)}." for thing in chance.sample(THINGS, 4)]
        for place in PLACES
    ]
    said = [chance.choice(some) for some in facts]
    return [" ".join(some) for some in (*facts, said[:5], said[5:])]


def vector(sentence: str) -> np.ndarray:
    """The same for the same sentence, and like hardly any other."""
    row = np.random.default_rng(list(sentence.encode())).normal(size=64).astype(np.float32)
    return row / np.linalg.norm(row)


def passage(index: int, text: str, *, with_vectors: bool) -> Passage:
    units = split_units(text, "docs")
    rows = np.array([vector(text[unit.start : unit.end]) for unit in units]) if with_vectors else None
    return Passage(str(index), "", text, "docs", pack(prepare("", text, units, rows, ENCODINGS)))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("with_vectors", [pytest.param(True, id="vectors"), pytest.param(False, id="words")])
def test_at_four_fifths_every_fact_is_still_there_once(seed, with_vectors):
    passages = tuple(passage(index, text, with_vectors=with_vectors) for index, text in enumerate(texts(seed)))
    whole = sum(ENCODINGS[0].count(f"{p.text}\n") for p in passages)
    question = vector("When was the granite tower of Fastnet finished?") if with_vectors else None
    request = CompressInput(
        "When was the granite tower of Fastnet finished?", question, passages, int(0.84 * whole), ENCODINGS[0], 0
    )
    output = compress(request)
    assert output.decision.level is Level.LIGHT
    kept = [
        p.text[unit.start : unit.end]
        for p, result in zip(passages, output.passages, strict=True)
        for unit in split_units(p.text, "docs")
        if any(start <= unit.start and unit.end <= end for start, end in result.spans)
    ]
    facts = {p.text[unit.start : unit.end] for p in passages for unit in split_units(p.text, "docs")}
    assert set(kept) == facts
    assert len(kept) < sum(len(split_units(p.text, "docs")) for p in passages)
