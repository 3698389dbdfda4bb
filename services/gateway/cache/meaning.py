"""What a question says, in one way of writing: two questions share a reply only where these are equal.

A canonical form and no measure of likeness: every word stays, and in its place, unless a rule says of it that it asks
nothing or that it can be written in another way. So what no rule knows keeps questions apart. Every rule writes plain
English that says the same, and the form of a form is itself.
"""

from __future__ import annotations

from services.gateway.cache.meaning_carriers import without_carriers, without_thanks
from services.gateway.cache.meaning_clause import STEPS, direct
from services.gateway.cache.meaning_figures import plain_figures
from services.gateway.cache.meaning_lexicon import (
    ACTIONS,
    CONTRACTIONS,
    HYPHENS,
    IS_NEXT,
    IS_SHORT,
    LOWER_NAMES,
    NAMESAKES,
    NUMBERS,
    OPENERS,
    SPELLING,
    SYNONYMS,
    UNWRITTEN,
)
from services.gateway.cache.meaning_reading import clean, sounds_english, without_last_mark, words_of

_WRITTEN = {
    word: tuple(written.split())
    for word, written in (SPELLING | HYPHENS | SYNONYMS | CONTRACTIONS | UNWRITTEN | NUMBERS | LOWER_NAMES).items()
}
_COUNTRIES = {
    ("US",): "USA",
    ("U.S.",): "USA",
    ("U.S.A.",): "USA",
    ("United", "States", "of", "America"): "USA",
    ("United", "States"): "USA",
    ("U.K.",): "UK",
    ("United", "Kingdom"): "UK",
}
"""Behind "the": without it, US may be an ultrasound."""


def meaning_key(question: str) -> str:
    """The canonical form of a question; empty where it is better left to its own words.

    That is what is long, holds code, more than one sentence or another language than English, does not begin as a
    question does, or ends in marks that may mean something.
    """
    text = clean(question)
    if text is None:
        return ""
    body = without_last_mark(without_thanks(text))
    if body is None:
        return ""
    body, indirect = without_carriers(body)
    words = words_of(body)
    if words is None or not _begins_as_question(words) or not sounds_english(words):
        return ""
    words = _plain_words(words)
    if indirect:
        words = direct(words)
    for step in STEPS:
        words = step(words)
    return " ".join(plain_figures(words))


def _begins_as_question(words: list[str]) -> bool:
    """Lowers the first word, whose capital says nothing, where it is one that begins questions."""
    first = words[0]
    if first.isupper() and len(first) > 1:
        return False
    lowered = first if first == "I" else first.lower()
    if lowered not in OPENERS:
        return False
    if not (lowered in NAMESAKES and words[1][0].isupper() and words[1] != "I"):
        words[0] = lowered
    return True


def _plain_words(words: list[str]) -> list[str]:
    """The words with spelling, contractions and synonyms written in one way."""
    written: list[str] = []
    last = len(words) - 1
    for at, word in enumerate(words):
        if word in _WRITTEN:
            written.extend(_WRITTEN[word])
        else:
            written.append(word)
        latest = written[-1]
        if latest in IS_SHORT and at < last:
            following = words[at + 1]
            if following in IS_NEXT or (following[0].isupper() and latest in OPENERS):
                written[-1:] = [IS_SHORT[latest], "is"]
        elif latest == "i" and written[-2:-1] == ["do"] and at < last and words[at + 1] in ACTIONS:
            # A variable i would have a "does".
            written[-1] = "I"
    return _plain_phrases(written)


def _plain_phrases(words: list[str]) -> list[str]:
    if "the" in words:
        for at, word in enumerate(words):
            if word == "the":
                for names, name in _COUNTRIES.items():
                    if tuple(words[at + 1 : at + 1 + len(names)]) == names:
                        words[at + 1 : at + 1 + len(names)] = [name]
                        break
    for first, second, joined in (("web", "site", ["website"]), ("mobile", "phone", ["cell", "phone"])):
        if first in words:
            for at in range(len(words) - 2, -1, -1):
                if words[at : at + 2] == [first, second]:
                    words[at : at + 2] = joined
    return words
