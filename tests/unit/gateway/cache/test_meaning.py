"""What the canonical form joins; everything else keeps questions apart."""

import pytest

from benchmarks.semantic import joined, pairs
from services.gateway.cache.meaning import meaning_key

FORMS = [
    # Case and marks
    pytest.param("How do I install Go?", "how to install Go", id="other capitals are names"),
    pytest.param("What is Redis?", "what is Redis", id="first capital"),
    pytest.param("what is  Redis ?", "what is Redis", id="white space"),
    pytest.param("WHAT IS REDIS?", "", id="capitals throughout say nothing"),
    pytest.param("is the visa for japan required", "is the visa for Japan required", id="name in small letters"),
    pytest.param("What is turkey?", "what is turkey", id="name that is a word"),
    pytest.param("how do i install Go", "how to install Go", id="small i"),
    pytest.param("Can i start at 0 in a loop?", "can i start at 0 in a loop", id="variable i"),
    pytest.param("Will Smith retire early?", "", id="not surely English"),
    pytest.param("Will Smith call the bank?", "Will Smith call the bank", id="opener that is a name"),
    pytest.param("What does “x y” mean?", 'what does "x y" mean', id="typographic quotes"),
    # Contractions
    pytest.param("What's the fee?", "what is the fee", id="is"),
    pytest.param("What's changed in Go?", "what's changed in Go", id="is or has"),
    pytest.param("What if it doesn't start?", "what if it does not start", id="not behind its subject"),
    pytest.param("Why doesn't it start?", "why does it not start", id="not before a pronoun"),
    pytest.param("Why can't I log in?", "why can I not log in", id="cannot before a pronoun"),
    pytest.param("Can't I log in?", "can't I log in", id="can't I is not can I not"),
    pytest.param("Why doesn't saving it help?", "why doesn't saving it help", id="not of what follows"),
    pytest.param("What if I'd known?", "what if I'd known", id="had or would"),
    # Carriers
    pytest.param("Please, what is Redis?", "what is Redis", id="please"),
    pytest.param("Hi there! What is Redis? Thanks!", "what is Redis", id="greeting and thanks"),
    pytest.param("Could you please tell me what Redis is?", "what is Redis", id="can you tell me"),
    pytest.param("I'd like to know who wrote it.", "who wrote it", id="I would like to know"),
    pytest.param("Can you explain the fee?", "explain the fee", id="can you explain"),
    pytest.param("Give me the capital of Peru.", "what is the capital of Peru", id="give me the"),
    pytest.param("How do I say please?", "how do I say please", id="please that is asked for"),
    pytest.param("Who owns example.thanks?", "who owns example.thanks", id="thanks within a name"),
    pytest.param("How do you spell it, please?", "how do you spell it , please", id="please beside spelling"),
    pytest.param("Can he tell me what it is?", "can he tell me what it is", id="another is asked to tell"),
    pytest.param("Tell me when the build is done.", "tell me when the build is done", id="to be told at that moment"),
    # Order
    pytest.param("Do you know where I can find it?", "where can I find it", id="pronoun and auxiliary"),
    pytest.param("Do you know where the key is stored?", "where is the key stored", id="auxiliary in the middle"),
    pytest.param("Do you know how old the bridge is?", "how old is the bridge", id="last verb"),
    pytest.param("Do you know how the pump works?", "how does the pump work", id="does"),
    pytest.param("Do you know if the fee is due?", "is the fee due", id="if"),
    pytest.param("Do you know if Ann or the man is ill?", "whether Ann or the man is ill", id="subject not plain"),
    pytest.param("Do you know what the man who is ill ate?", "what the man who is ill ate", id="clause in a subject"),
    # Turns of phrase
    pytest.param("How can I reset it?", "how to reset it", id="how can I"),
    pytest.param("What is the way to reset a key?", "how to reset a key", id="the way to"),
    pytest.param("How does one install it?", "how to install it", id="how does one"),
    pytest.param("How does one filter work?", "how does one filter work", id="one of a noun"),
    pytest.param("How do I look?", "how do I look", id="no action"),
    pytest.param("How do you reset it?", "how do you reset it", id="how do you may mean you"),
    pytest.param("What is New Zealand's capital?", "what is the capital of New Zealand", id="possessive"),
    pytest.param("What is Dorian Gray's picture?", "what is Dorian Gray's picture", id="owned in another sense"),
    # Spelling
    pytest.param("What colour is the centre?", "what color is the center", id="British"),
    pytest.param("What is a TV programme?", "what is a TV programme", id="British word that is two American ones"),
    pytest.param("Which e-mail is mine?", "which email is mine", id="hyphen"),
    pytest.param("What is a re-sign?", "what is a re-sign", id="hyphen that counts"),
    pytest.param("Which of the US states is it?", "which of the USA states is it", id="country"),
    pytest.param("What is US used for?", "what is US used for", id="not surely a country"),
    # Figures
    pytest.param("Is 1,000 enough?", "is 1000 enough", id="thousands"),
    pytest.param("Is 1,5 enough?", "is 1,5 enough", id="decimal comma"),
    pytest.param("Which three are free?", "which 3 are free", id="number word"),
    pytest.param("Which one is free?", "which one is free", id="one is a pronoun"),
    pytest.param("Is 1.5 million euros enough?", "is 1500000 euros enough", id="million"),
    pytest.param("Are two million dollar houses enough?", "are 2 million dollar houses enough", id="two, of a million"),
    pytest.param("Is two or three hundred enough?", "is 2 or 3 hundred enough", id="open scale"),
    pytest.param("Is 5 per cent enough?", "is 5% enough", id="percent"),
    pytest.param("What costs €5?", "what costs 5 euros", id="euros"),
    pytest.param("What costs £5?", "what costs £5", id="pounds may be a weight"),
    pytest.param("Is 5 kilometers enough?", "is 5 km enough", id="unit"),
    pytest.param("Is 5km enough?", "is 5 km enough", id="unit that is attached"),
    pytest.param("Is 5 m enough?", "is 5 m enough", id="unit that is several"),
    pytest.param("Is 1 hour enough?", "is 1 hours enough", id="one of a unit"),
    pytest.param("Is a 5 minute walk enough?", "is a 5 minute walk enough", id="five of a minute, or a walk of five"),
    pytest.param("What happened on the 5th of March, 2020?", "what happened on 2020-03-05", id="date"),
    pytest.param("What happened on 5 Mar?", "what happened on March 5", id="date without a year"),
    pytest.param("What happened on 03/05/2020?", "what happened on 03/05/2020", id="date with an order of its own"),
    pytest.param("What was signed on 31 April 2020?", "what was signed on 31 April 2020", id="no date"),
    pytest.param("Why did in March 5 people quit?", "why did in March 5 people quit", id="figure that counts"),
    pytest.param("Is the version 5 May 2024?", "is the version 5 May 2024", id="figure of what stands before"),
    pytest.param("What if she is May 5?", "what if she is May 5", id="name of somebody of five"),
    pytest.param("What if she is 5 May?", "what if she is 5 May", id="not surely a date"),
    pytest.param("What if May 5 users log in?", "what if May 5 users log in", id="May that is no month"),
    pytest.param("Is the shop open at 9 a.m.?", "is the shop open at 9 am", id="time"),
    pytest.param("Which of the 5 am I?", "which of the 5 am I", id="am that is no time"),
]


@pytest.mark.parametrize(("question", "form"), FORMS)
def test_form(question, form):
    assert meaning_key(question) == form


@pytest.mark.parametrize(
    "question",
    [
        pytest.param("", id="nothing"),
        pytest.param("Redis", id="a word"),
        pytest.param("Redis cluster setup", id="no question"),
        pytest.param("What is this? And what is that?", id="two sentences"),
        pytest.param("The build fails. Why does it fail?", id="a sentence before"),
        pytest.param("Why does\nit fail?", id="lines"),
        pytest.param("What does `now` do?", id="code"),
        pytest.param("What does a[0] == b do?", id="operators"),
        pytest.param("What is 5!?", id="factorial"),
        pytest.param("What is the type int??", id="marks that may be code"),
        pytest.param('What is 5" of snow?', id="one quotation mark"),
        pytest.param("What does 'x' do?", id="single quotes"),
        pytest.param('What does print("x")do?', id="quotes within a word"),
        pytest.param("Was kostet 1,000 Liter Milch?", id="German"),
        pytest.param("Is 1,000 liter water genoeg?", id="Dutch without a word of its own"),
        pytest.param("Is het people management 1,000 euro?", id="Dutch with English words"),
        pytest.param("Compare a população do Rio", id="Portuguese"),
        pytest.param("What is 東京?", id="another script"),
        pytest.param("What is the\u200b fee?", id="what nobody sees"),
        pytest.param("What is the fee " + "of it " * 60, id="long"),
    ],
)
def test_is_left_to_its_own_words(question):
    assert meaning_key(question) == ""


@pytest.mark.parametrize("kind", sorted({pair.kind for pair in pairs("differ")}))
def test_never_joins_what_differs(kind):
    assert [pair for pair in pairs("differ") if pair.kind == kind and joined(pair)] == []


@pytest.mark.parametrize("kind", ["negation", "number", "name", "date", "unit", "order"])
def test_enough_pairs_differ(kind):
    assert sum(pair.kind == kind for pair in pairs("differ")) >= 50


def test_no_pair_is_both():
    same = {frozenset(pair[1:]) for pair in pairs("same")}
    differ = {frozenset(pair[1:]) for pair in pairs("differ")}
    assert not same & differ
    assert len(differ) == len(pairs("differ")) >= 300
    assert len(same) == len(pairs("same")) >= 150
