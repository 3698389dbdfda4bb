"""A question's text to its words: what is not one plain sentence is not read."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from services.gateway.cache.meaning_lexicon import ENGLISH, ENGLISH_BESIDE, ENGLISH_OPENERS, FOREIGN

LONGEST = 300
"""Characters of a question that is read."""
_FEWEST_WORDS = 2
_MOST_WORDS = 48

_PRINT = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "\u2010": "-", "\u2011": "-"})  # noqa: RUF001 - typeset
_UNREADABLE = re.compile(r"[^ -~\u00a0À-ÖØ-öø-ɏ€£°²³µ½¼¾–—]|[`*^\\|<>{}=~@;\[\]]")  # noqa: RUF001 - dashes of print
"""Code, other scripts, line breaks, and what nobody sees."""
_LAST_MARK = re.compile(r"\s*(?:[?!]|\?!|!\?)$")
_INITIALS = re.compile(r"(?:^|[\s(])(?:[A-Za-z]\.)+$")
_QUOTED = re.compile(r'"[^"]*"')
_BEFORE_QUOTE = re.compile(r"(?:^|\s)\(?$")
_BEHIND_QUOTE = re.compile(r"[,:)]*(?:\s|$)")
_PIECE = re.compile(r'"[^"]*"|[^\s"]+')
_ABBREVIATION = re.compile(r"dr|mr|mrs|ms|prof|st|mt|vs?|no|inc|ltd|co|corp|approx|e\.g|i\.e", re.IGNORECASE)


def clean(question: str) -> str | None:
    """One line in plain characters; None where it holds what is not read."""
    if len(question) > LONGEST:
        return None
    if not question.isascii():
        question = unicodedata.normalize("NFC", question).translate(_PRINT)
    text = question.strip()
    return None if not text or _UNREADABLE.search(text) else text


def without_last_mark(text: str) -> str | None:
    """The sentence without its "?", "!" or full stop; None where these say more than that it ends."""
    body = _LAST_MARK.sub("", text)
    mark = text[len(body) :]
    if "!" in mark and not body[-2:].isalpha():
        # 5! and n! are factorials.
        return None
    if body.endswith("."):
        if not mark and not _INITIALS.search(body):
            body = body[:-1]
        elif not _INITIALS.search(body):
            return None
    return None if not body or (body[-1] in "?!." and not _INITIALS.search(body)) else body.rstrip()


def words_of(text: str) -> list[str] | None:
    """Words, marks and quoted parts; None where more than one sentence, or none of plain English, is seen."""
    if '"' in text and not _quotes_stand_apart(text):
        return None
    words: list[str] = []
    for piece in _PIECE.findall(text):
        parts = _parts(piece)
        if parts is None:
            return None
        words.extend(parts)
    return words if _FEWEST_WORDS <= len(words) <= _MOST_WORDS and FOREIGN.isdisjoint(words) else None


def sounds_english(words: list[str]) -> bool:
    """Whether a word tells that it is English, where another one could be of several languages."""
    if not ENGLISH.isdisjoint(words):
        return True
    return words[0] in ENGLISH_OPENERS and not ENGLISH_BESIDE.isdisjoint(words[1:])


def _quotes_stand_apart(text: str) -> bool:
    if text.count('"') % 2:
        return False
    return all(
        _BEFORE_QUOTE.search(text, 0, quoted.start()) and _BEHIND_QUOTE.match(text, quoted.end())
        for quoted in _QUOTED.finditer(text)
    )


@lru_cache(8192)
def _parts(piece: str) -> tuple[str, ...] | None:
    """A piece without white space to its word and the marks around it."""
    if piece.isalnum() or piece[0] == '"':
        return (piece,)
    start, end = 0, len(piece)
    while start < end and piece[start] == "(":
        start += 1
    while start < end and piece[end - 1] in ",:)":
        # f() is a name with what belongs to it.
        if piece[end - 1] == ")" and "(" in piece[start:end]:
            break
        end -= 1
    word = piece[start:end]
    if "?" in word or "!" in word or word.startswith("'") or (word.endswith("'") and not word.endswith("s'")):
        return None
    if word.endswith(".") and not _ABBREVIATION.fullmatch(word[:-1]) and not _INITIALS.search(word):
        return None
    return (*piece[:start], *((word,) if word else ()), *piece[end:])
