"""What counts as a question of the moment: the table is the specification."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.gateway.cache.time_words import time_sensitive

SENSITIVE = {
    "now": "Who is in charge now?",
    "right now": "What can I buy right now?",
    "as of now": "As of now, who holds the record?",
    "today": "What is on the agenda today?",
    "today's": "What is today’s rate?",  # noqa: RUF001 - as it is typeset
    "tonight": "Who plays tonight?",
    "yesterday": "What was shipped yesterday?",
    "tomorrow": "Is the office closed tomorrow?",
    "title case": "What Is The Weather Today?",
    "currently": "Who is currently on call?",
    "current": "What is the current limit?",
    "current, at the end": "Is this document current?",
    "current, of people": "What do current employees earn?",
    "at the moment": "Which plans are sold at the moment?",
    "at present": "Who is CEO at present?",
    "these days": "What do people read these days?",
    "so far": "How many users signed up so far?",
    "to date": "What are the costs to date?",
    "up to date": "Is the image up to date?",
    "latest": "What is the latest version of Redis?",
    "newest": "Which is the newest model?",
    "recent": "Which recent changes broke the build?",
    "most recent": "What is the most recent release?",
    "last release": "What came with the last release?",
    "this week": "What is due this week?",
    "this quarter": "What did we sell this quarter?",
    "this Monday": "Who is on call this Monday?",
    "last week": "What happened last week?",
    "last N days": "What was sold in the last 30 days?",
    "next month": "What changes next month?",
    "next Friday": "Is next Friday a holiday?",
    "ago": "What was the price 3 days ago?",
    "still": "Is Python 2 still supported?",
    "yet": "Is it released yet?",
    "already": "Has it already started?",
    "no longer": "Which plans are no longer sold?",
    "any more": "Is it sold any more?",
    "time of day": "What time is it?",
    "the date": "What is the date?",
    "day": "What day is it?",
    "news": "Is there any news on the merger?",
    "what's new": "What's new?",
    "weather": "How is the weather in Oslo?",
    "live status": "What is the status of my order?",
    "down": "Is GitHub down?",
    "in stock": "Is the blue one in stock?",
    "price": "What is the share price of Apple?",
    "rate": "What is the exchange rate of the yen?",
    "days until": "How many days until the launch?",
    "German jetzt": "Was kostet es jetzt?",
    "German heute": "Wer hat heute Dienst?",
    "German aktuell": "Was ist die aktuelle Version?",
    "German letzte Woche": "Was geschah letzte Woche?",
    "German vor": "Was geschah vor drei Tagen?",
    "German immer noch": "Gilt das immer noch?",
    "French aujourd'hui": "Que se passe-t-il aujourd’hui ?",  # noqa: RUF001 - as it is typeset
    "French hier": "Que s'est-il passé hier ?",
    "French cette semaine": "Qui travaille cette semaine ?",
    "French dernière": "Quelle est la dernière version ?",
    "French il y a": "Que s'est-il passé il y a 3 jours ?",
    "Spanish hoy": "¿Quién trabaja hoy?",
    "Spanish hace": "¿Qué pasó hace 3 días?",
    "Spanish última": "¿Cuál es la última versión?",
    "Spanish hora": "¿Qué hora es?",
}

TIMELESS = {
    "plain": "What is the capital of France?",
    "electric current": "What is the current in a resistor?",
    "alternating current": "What is alternating current?",
    "eddy current": "Where does an eddy current flow?",
    "current assets": "What are current assets?",
    "current directory": "How do I print the current directory in bash?",
    "last chapter": "What does the last chapter say?",
    "last page": "What stands on the last page?",
    "next step": "What is the next step of the installer?",
    "time complexity": "What is the time complexity of quicksort?",
    "present value": "What is present value?",
    "present tense": "How is the present tense formed?",
    "status code": "What does status code 404 mean?",
    "update": "How do I update a record?",
    "date in the past": "What happened on 5 March 2020?",
    "period": "Is a notice of 30 days enough?",
    "now in quotes": 'What does "now" mean in SQL?',
    "now in code": "What does `now` return?",
    "now as a call": "What does now() return?",
    "now as an attribute": "What does DateTime.Now return?",
    "now within a name": "What does ServiceNow cost?",
    "now in a title": "Who directed Apocalypse Now?",
    "today in a title": "Who owns USA Today?",
    "now that": "What may I do now that I am 18?",
    "still water": "What is still water?",
    "still life": "Who painted the first still life?",
    "stand still": "Why must a bee stand still?",
    "so far as": "Is it legal so far as you know?",
    "and yet": "Why is it cheap and yet good?",
    "German hier": "Was steht hier?",
}

FALSE_ALARMS = {
    "unit of current": "What is the unit of current?",
    "current in how-to": "How do I get the current time in Python?",
    "last year of something": "What happened in the last year of the war?",
    "weather as a subject": "What causes weather?",
    "actual": "What is the actual cost of capital?",
    "is ... open": "Is the source open?",
}
"""Not told apart; they are only computed anew."""


@pytest.mark.parametrize("question", SENSITIVE.values(), ids=SENSITIVE.keys())
def test_depends_on_the_moment(question):
    assert time_sensitive(question)


@pytest.mark.parametrize("question", TIMELESS.values(), ids=TIMELESS.keys())
def test_does_not(question):
    assert not time_sensitive(question)


@pytest.mark.parametrize("question", FALSE_ALARMS.values(), ids=FALSE_ALARMS.keys())
def test_known_false_alarms(question):
    assert time_sensitive(question)


@settings(deadline=None)
@given(st.text())
def test_takes_any_text(text):
    assert time_sensitive(text) in (True, False)
    assert (
        time_sensitive(f"{text} what happened yesterday?") or "`" in text or '"' in text or "“" in text or "«" in text
    )
