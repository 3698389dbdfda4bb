# ruff: noqa: RUF001 - the ambiguous characters are what this file is about
"""What holds for pins of every text."""

from itertools import pairwise

import numpy as np
import re2
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.compressor.pins.bind import bind
from services.compressor.pins.check import maimed_pins
from services.compressor.pins.find import find_pins
from services.compressor.pins.negations import negating_leads
from services.compressor.pins.patterns import compile_patterns
from services.compressor.pins.pin import NO_PINS, PinType
from services.compressor.pins.scalars import readable, scalars
from services.compressor.units.unit import Unit

PARTS = [
    " ", "  ", "\n", "\n\n", "\r\n", " \n \n", "\t", ". ", ", ", "; ", ": ", ":\n", "- ", "- a\n", "(", ")",
    "[", "]", "`", "``", "''", "'", '"', "Ann goes", "Bob", "not", "No", "isn't", "Except", "But not",
    "Unless", "Otherwise", "# Limitations\n", "> ", "| a | b |\n", "```\n", "1", "5 ", "12", "1999", "3.5",
    "1,000", "km", " km", " per hour", "%", " percent", "million", "twenty-five", "$", "-", "--", "–", "±",
    ">=", "v", "v1.2", "5 km", "March", "May ", " 3", "Q3", " am", "10:30", "th", "BC", "century",
    "2021-05-01", "T", "Z", "max_tokens", "getName", "run()", "a.b", "a/b", "/x/y", "C:\\a", "@", "me@x.org",
    "--flag", "-v", "E1001", "AB-12", "HTTP ", "404", "::", "https://x.org/a", "www.", "doi:10.1000/1", "[3]",
    "(Smith, 2020)", "(Smith et al.,", "2019)", "Section", "§", "Fig.", "RFC ", "v. ", "Smith v. Jones", "万",
    "円", "3万円", "年", "日", "。", "不", "e\u0301", "\u0301", "\u200d", "👍🏽", "🇩🇪", "\ud800", "\x00", "ก็", "ำ",
    "\u0600", "한글", "\u1100", "\u1161", "क्ष", "KD 7",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PARTS) | st.text(max_size=3), max_size=40).map("".join)
PATTERNS = ("KD \\d", "a.b")


ASCII_TEXTS = st.lists(
    st.sampled_from([part for part in PARTS if part.isascii()]) | st.text(st.characters(codec="ascii"), max_size=3),
    max_size=40,
).map("".join)


@given(TEXTS | ASCII_TEXTS)
@settings(deadline=None)
def test_re2_finds_the_same_in_what_it_reads_faster(text):
    pattern = re2.compile(r"(?i)\b(?:no|a)\b|[ \n-](?:million|percent)|[\pL\d]-\d|\A--?[A-Za-z]|[^\s]_")
    found, expected = (list(pattern.finditer(given)) for given in (readable(text), scalars(text)))
    assert [match.span() for match in found] == [match.span() for match in expected]


@st.composite
def cut_texts(draw):
    """A text, and bounds anywhere in it."""
    text = draw(TEXTS)
    cuts = draw(st.lists(st.integers(0, len(text)), max_size=10))
    return text, sorted({0, *cuts, len(text)})


def kept_and_dropped(text, spans):
    kept = {at for start, end in spans for at in range(start, end) if not text[at].isspace()}
    return kept, {at for at, character in enumerate(text) if not character.isspace()} - kept


@given(TEXTS)
@settings(deadline=None)
def test_pins_stand_in_order_and_in_range(text):
    pins = find_pins(text)
    assert pins == find_pins(text)
    assert all(0 <= pin.start < pin.end <= len(text) for pin in pins)
    assert all(text[pin.start : pin.end].strip() for pin in pins)
    assert pins == sorted(pins, key=lambda pin: (pin.start, pin.end))


@given(TEXTS)
@settings(deadline=None)
def test_only_negations_overlap(text):
    facts = [pin for pin in find_pins(text) if pin.type is not PinType.NEGATION]
    assert all(one.end <= other.start for one, other in pairwise(facts))


@given(TEXTS)
@settings(deadline=None)
def test_no_pin_cuts_a_character(text):
    bounds = {0, *(match.end() for match in regex.finditer(r"\X", text))}
    assert all({pin.start, pin.end} <= bounds for pin in find_pins(text))


@given(TEXTS)
@settings(deadline=None)
def test_leads_nest_or_are_disjoint(text):
    open_ends: list[int] = []
    for lead in negating_leads(text):
        assert 0 <= lead.start < lead.end < lead.items_end <= len(text)
        while open_ends and open_ends[-1] <= lead.start:
            open_ends.pop()
        assert not open_ends or lead.items_end <= open_ends[-1]
        open_ends.append(lead.items_end)


@given(cut_texts(), st.data())
@example(("5 km", [0, 1, 4]), None)
@settings(deadline=None, max_examples=300)
def test_the_check_finds_what_a_search_of_the_whole_text_finds(cut, data):
    text, bounds = cut
    parts = list(pairwise(bounds))
    spans = [part for part in parts if data is None or data.draw(st.booleans())][: len(parts) if data else 1]
    kept, dropped = kept_and_dropped(text, spans)
    pins = sorted([*find_pins(text), *compile_patterns(PATTERNS).find(text)], key=lambda pin: (pin.start, pin.end))
    maimed = [pin for pin in pins if kept & {*range(pin.start, pin.end)} and dropped & {*range(pin.start, pin.end)}]
    assert set(maimed_pins(text, spans, PATTERNS)) == set(maimed)


@given(cut_texts(), st.data())
@settings(deadline=None, max_examples=300)
def test_no_choice_among_bound_units_maims_a_pin(cut, data):
    text, bounds = cut
    units = []
    for start, end in pairwise(bounds):
        part = text[start:end]
        if part.strip():
            first = start + len(part) - len(part.lstrip())
            units.append(Unit(first, first + len(part.strip())))
    bound = bind(units, find_pins(text), negating_leads(text))
    assert [(unit.start, unit.end) for unit in bound] == [(unit.start, unit.end) for unit in units]
    chosen = {index for index in range(len(bound)) if data.draw(st.booleans())}
    waiting = list(chosen)
    while waiting:
        fresh = set(bound[waiting.pop()].needs) - chosen
        chosen |= fresh
        waiting.extend(fresh)
    assert maimed_pins(text, [(bound[index].start, bound[index].end) for index in sorted(chosen)], ()) == ()


@given(cut_texts())
@settings(deadline=None)
def test_every_pin_counts_once(cut):
    text, bounds = cut
    units = [Unit(start, end) for start, end in pairwise(bounds)]
    pins = find_pins(text)
    counts = np.sum([NO_PINS, *(unit.pins for unit in bind(units, pins))], axis=0).tolist()
    assert counts == [sum(pin.type is kind for pin in pins) for kind in PinType]
