"""What holds for texts of every mix of values."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scic.client.pseudonyms import restore
from scic.type.v1 import passage_pb2, span_pb2
from services.gateway.guard.guard import Guard
from services.gateway.guard.occurrences import occurrences
from services.gateway.guard.policy import Action, GuardPolicy, SensitiveType
from services.gateway.guard.pseudonyms import identity
from services.gateway.guard.scan import read_scan, scan_passage
from services.prompt.hidden import remove_hidden

PARTS = [
    " ", "\n", "\n\n", ". ", ", ", ": ", "(", ")", '"', "'", "<", ">", "[", "]", "=", "&", "|", "@", "/", "-", "_", "x",
    "7", "the ", "Dear ", "Mr. ", "From: ", "Best regards,\n", "phone ", "password: ", "token=", "ssn ", "IBAN ",
    "https://", "ann@x.org", "Ann@X.org", "o'brien@mail.co.uk", "grüße@bücher.de", "+44 20 7946 0958", "(415) 555-2671",
    "06 12 34 56 78", "4111 1111 1111 1111", "4242424242424242", "DE89 3704 0044 0532 0130 00",
    "GB29NWBK60161331926819",
    "536-22-8731", "12345678Z", "10.0.0.17", "2a02:8109:9c40::1", "Giulia Rossi", "Michael Chen", "Chen", "Rossi",
    "Will",
    "Willing", "Tr4vel-ax9Q", "hunter2!", "postgres://app:Tr4vel-ax9Q@db.x.org/a", "AKIAQWERTYUIOPASDFGH", "[EMAIL_1]",
    "[PERSON_1]", "EMAIL", "[EMAIL_", "ü", "ß", "漢字", "e\u0301", "👍🏽", "\x00",
]  # fmt: skip
TEXTS = st.lists(
    st.sampled_from(PARTS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=3), max_size=24
).map("".join)
MASK_ALL = GuardPolicy(dict.fromkeys(SensitiveType, Action.MASK), restore=True)
POLICIES = st.fixed_dictionaries({kind: st.sampled_from(Action) for kind in SensitiveType}).map(GuardPolicy)
settled = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def survivors(text, values):
    """Values that stand in a text as a whole."""
    return [one.value.text for one in occurrences(text, values)]


def learnt(detectors, text, policy=MASK_ALL):
    """A screen that knows the values of a text, and those on which it acts."""
    screen = Guard(detectors).screen(policy)
    screen.admit(passage_pb2.Passage(text=text))
    return screen, [value for value in detectors.find(text) if policy.actions[value.type] is not Action.ALLOW]


def without_pseudonyms(text, screen):
    """A text without what masking put in, whose letters may spell anything."""
    return restore(text, [type(one)(pseudonym=one.pseudonym, value="\ue000") for one in screen.pseudonyms()])


@given(TEXTS, POLICIES)
@settled
def test_no_value_survives(detectors, text, policy):
    screen, values = learnt(detectors, text, GuardPolicy(policy.actions, restore=True))
    assert not survivors(without_pseudonyms(screen.mask(text), screen), values)


@given(TEXTS)
@settled
def test_masking_is_idempotent(detectors, text):
    screen, _ = learnt(detectors, text)
    masked = screen.mask(text)
    assert screen.mask(masked) == masked


@given(TEXTS, POLICIES)
@settled
def test_what_stays_is_not_touched(detectors, text, policy):
    screen, values = learnt(detectors, text, policy)
    assert bool(screen.counts()) == bool(values)
    if not values:
        assert screen.mask(text) == text


@given(TEXTS)
@settled
def test_restoring_undoes_masking(detectors, text):
    text = remove_hidden(text)[0]
    screen, values = learnt(detectors, text)
    written = {identity(value) for value in values}
    if len(written) == len(values):  # else a value is given back as it was first written
        assert restore(screen.mask(text), screen.pseudonyms()) == text


@given(TEXTS, TEXTS)
@settled
def test_texts_share_pseudonyms(detectors, first, second):
    screen = Guard(detectors).screen(MASK_ALL)
    screen.read("question", first)
    together = screen.read("question", f"{first}\n\n{second}")
    values = detectors.find(first)
    assert not survivors(without_pseudonyms(together, screen), values)
    pseudonyms = [one.pseudonym for one in screen.pseudonyms()]
    assert len(pseudonyms) == len(set(pseudonyms))


@given(TEXTS, st.lists(st.tuples(st.integers(0, 400), st.sampled_from(["\u200b", "\u00ad", "\u2060\ufeff", "\u202e"]))))
@settled
def test_hidden_characters_hide_nothing(detectors, text, hidden):
    values = detectors.find(text)
    for at, character in hidden:
        text = text[: at % (len(text) + 1)] + character + text[at % (len(text) + 1) :]
    screen, _ = learnt(detectors, text)
    masked = remove_hidden(screen.mask(text))[0]
    # Where a mark is needed by its script it stays, and the text says something else.
    if remove_hidden(text)[0].isascii():
        assert not survivors(without_pseudonyms(masked, screen), values)


@st.composite
def cut_texts(draw):
    """A text, and ranges of it in order."""
    text = draw(TEXTS.filter(bool))
    bounds = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)))
    return text, list(zip(bounds[::2], bounds[1::2], strict=False))


@given(cut_texts(), st.sampled_from(["", " … ", "\n"]))
@settled
def test_no_part_of_a_value_survives_a_cut(detectors, cut, gap):
    text, ranges = cut
    screen, values = learnt(detectors, text)
    kept = gap.join(text[start:end] for start, end in ranges)
    spans = [span_pb2.Span(start=start, end=end) for start, end in ranges]
    masked = without_pseudonyms(screen.mask_kept(passage_pb2.Passage(text=text), spans, kept), screen)
    assert not survivors(masked, values)
    # Each range is shown with nothing of a value that reaches into it from outside, as far as that is long enough.
    inside = [(one.start, one.end) for one in occurrences(text, values)]
    for start, end in ranges:
        for first, last in inside:
            rest = text[max(first, start) : min(last, end)]
            if (first < start or last > end) and len(rest) >= 8 and text.count(rest) == 1:
                assert rest not in masked


@given(TEXTS)
@settled
def test_a_scan_says_what_a_search_says(detectors, text):
    assert read_scan(scan_passage(detectors, [], text, {})) == tuple(detectors.find(text))


@pytest.mark.parametrize("text", ["", " ", "\n"])
def test_nothing_is_found_in_nothing(detectors, text):
    assert detectors.find(text) == []
