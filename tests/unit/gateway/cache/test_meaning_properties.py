"""No change that matters is ever lost, whatever surrounds it."""

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from benchmarks.semantic import pairs
from services.gateway.cache.meaning import meaning_key

PAIRS = pairs("same") + pairs("differ")
UNDERSTOOD = sorted({question for pair in PAIRS for question in pair[1:] if meaning_key(question)})
QUESTIONS = st.sampled_from(UNDERSTOOD)
WITH_FIGURES = st.sampled_from([question for question in UNDERSTOOD if any(map(str.isdecimal, question))])
WITH_MARK = st.sampled_from(
    [
        question
        for question in UNDERSTOOD
        if question.endswith("?") and " say " not in question and "mean" not in question
    ]
)
NEGATIONS = st.sampled_from(["not", "never", "no", "without", "hardly", "neither", "nobody", "cannot", "except"])
NAMES = st.sampled_from(
    [
        "Paris",
        "Rome",
        "Ann",
        "Lee",
        "US",
        "USA",
        "Us",
        "IT",
        "It",
        "May",
        "March",
        "Will",
        "Go",
        "C",
        "C++",
        "WHO",
        "Who",
        "Node.js",
        "iPhone",
        "MySQL",
        "Mercury",
        "Turkey",
        "Two",
        "Monday",
        "Jan",
        "St. Louis",
        "New York",
        "O'Brien",
    ]
)
ONE_NAME = st.sampled_from(
    [
        "What is the capital of {}?",
        "Do you know who {} is?",
        "Why doesn't {} work?",
        "How can I install {}?",
        "Who's {}?",
        "What is {}'s capital?",
        "Could you explain how {} works?",
        "Is it true that {} is closed on May 5?",
    ]
)
TWO_NAMES = st.sampled_from(
    [
        "How do I get from {} to {}?",
        "Is the {} bigger than {}?",
        "Who sold {} to {}?",
        "Can you tell me why {} beat {}?",
        "What is the difference between {} and {}?",
        "Does {} still call {} first?",
        "How can I convert {} to {}?",
    ]
)
HARMLESS = st.sampled_from(
    ["{}", " {} ", "Please, {}", "Hi! {}", "Hello, {} Thanks!", "Quick question: {}", "Hey there, {} Thank you."]
)


def apart(first, second):
    return not meaning_key(first) or meaning_key(first) != meaning_key(second)


@settings(deadline=None)
@given(QUESTIONS, NEGATIONS, st.data())
def test_a_negation_that_is_put_in_is_seen(question, negation, data):
    words = question.split()
    at = data.draw(st.integers(0, len(words)))
    assert apart(question, " ".join([*words[:at], negation, *words[at:]]))


@settings(deadline=None)
@given(QUESTIONS, st.data())
def test_a_word_that_is_left_out_is_seen_in_a_plain_question(question, data):
    """What is left out of a form, nothing but a carrier may make up for: so it is a form that loses a word here."""
    words = meaning_key(question).split()
    at = data.draw(st.integers(0, len(words) - 1))
    assert apart(question, " ".join(words[:at] + words[at + 1 :]))


@settings(deadline=None)
@given(WITH_FIGURES, st.data())
def test_a_digit_that_changes_is_seen(question, data):
    digits = [at for at, character in enumerate(question) if character.isdecimal()]
    at = data.draw(st.sampled_from(digits))
    other = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != question[at]]))
    assert apart(question, question[:at] + other + question[at + 1 :])


@settings(deadline=None)
@given(ONE_NAME, NAMES, NAMES)
def test_a_name_that_changes_is_seen(template, name, other):
    assume(name != other and {name, other} != {"US", "USA"})
    assert apart(template.format(name), template.format(other))


@settings(deadline=None)
@given(TWO_NAMES, NAMES, NAMES)
def test_names_that_change_places_are_seen(template, name, other):
    assume(name != other and {name, other} != {"US", "USA"})
    assert apart(template.format(name, other), template.format(other, name))


@settings(deadline=None)
@given(st.sampled_from(pairs("differ")), HARMLESS, HARMLESS)
def test_what_differs_still_differs_in_other_company(pair, around, about):
    assert apart(around.format(pair.first), about.format(pair.second))


@settings(deadline=None)
@given(WITH_MARK, HARMLESS)
def test_what_surrounds_a_question_says_nothing(question, around):
    assert meaning_key(around.format(question)) in (meaning_key(question), "")


@settings(deadline=None)
@given(st.text() | st.text(alphabet=" \"'?!.,()$€%0159aAiIU’-:").map("what is the {} of it".format))  # noqa: RUF001
@example("\ud800")
@example("what is the $ of it")
@example("what is the")
@example("tell me why")
@example("how")
@example("in March")
@example("is the 5th of")
@example("what is 1" + "0" * 280 + " million euros")
def test_every_text_has_a_form_whose_form_is_itself(text):
    form = meaning_key(text)
    assert meaning_key(form) == form
