# ruff: noqa: RUF001 - the ambiguous characters are what this file is about
"""The one term analysis: what a text is indexed and searched by.

Every store gets these terms instead of the text, so that all of them rank alike. A term has no white space.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import chain

import regex
import Stemmer

from services.text.memo import Memo
from services.text.wordlists import STOP_WORDS

KNOWN_WORDS = 1 << 16
"""Distinct words whose terms are remembered, at most about 20 MB; English prose seldom uses more."""

# Scripts that put no space between words.
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}ー\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_WORD = regex.compile(
    rf"""
      [{_UNSPACED}]{{1,64}}
    | [vV]?\p{{Nd}}+(?:[.,:/-]\p{{Nd}}+)+                            # versions, dates, times, amounts
    | (?:\p{{Lu}}\.){{2,}}                                           # U.S.
    | [cC](?:\+\+|\#)                                                # C++ and C#
    | [\p{{L}}\p{{M}}\p{{N}}_--[{_UNSPACED}]]{{1,64}}(?:['’][\p{{L}}\p{{M}}]{{1,8}})?
    """,
    regex.VERBOSE | regex.VERSION1,
)
# The same for ASCII alone, in a third of the time. Most words begin with a letter that begins nothing else.
_ASCII_WORD = re.compile(
    r"""
      [abd-uw-z]\w{0,63}(?:'[A-Za-z]{1,8})?
    | [vV]?\d+(?:[.,:/-]\d+)+
    | (?:[A-Z]\.){2,}
    | [cC](?:\+\+|\#)
    | \w{1,64}(?:'[A-Za-z]{1,8})?
    """,
    re.VERBOSE | re.ASCII,
)
_UNSPACED_RUN = regex.compile(rf"[{_UNSPACED}]+")
_NUMBER = regex.compile(r"[vV]?(\p{Nd}+(?:[.,:/-]\p{Nd}+)+)")
_PIECE = regex.compile(r"\p{Lu}+(?!\p{Ll})|\p{Lu}?[\p{L}\p{M}--\p{Lu}]+|\p{N}+", regex.VERSION1)


def analyse(text: str) -> list[str]:
    """Terms of a text or question, in order of occurrence, repeats included.

    NFKC, case folding, English stop words out, Snowball English stems (Porter2). Beside its own term, an identifier
    gives its parts (`getUserName`, `get_user_name`: getusernam, get, user, name) and a date or range its numbers.
    Scripts written without spaces give overlapping pairs of characters, as Lucene's CJKBigramFilter does. A text of
    stop words alone has no terms.
    """
    return list(chain.from_iterable(map(_known.__getitem__, words(text))))


def words(text: str) -> list[str]:
    """What `word_terms` takes, in order: words, numbers and runs of unspaced scripts, normalised."""
    if text.isascii():
        return _ASCII_WORD.findall(text)
    return _WORD.findall(unicodedata.normalize("NFKC", text))


def word_terms(word: str) -> tuple[str, ...]:
    """Terms of one of `words`: those of a text are the terms of its words."""
    if _UNSPACED_RUN.fullmatch(word):
        return tuple(word[i : i + 2] for i in range(len(word) - 1)) or (word,)
    if number := _NUMBER.fullmatch(word):
        whole = number[1]
        numbers = regex.split(r"[/-]", whole)
        # 1,000 and 1000 are one number; a date or a range is found by each of its numbers too.
        return tuple(part.replace(",", "") for part in ([whole, *numbers] if len(numbers) > 1 else numbers))
    plain = word.replace("’", "'")
    if plain.casefold() in STOP_WORDS:
        return ()
    pieces = _PIECE.findall(plain.partition("'")[0])
    terms = [plain.replace("_", "").replace(".", "")]
    if len(pieces) > 1:
        terms.extend(piece for piece in pieces if len(piece) > 1)
    # A Stemmer is not thread safe; without its cache a new one costs half a microsecond, and only new words come here.
    stem = Stemmer.Stemmer("english", 0).stemWord
    return tuple(stem(term) for term in map(str.casefold, terms) if term and term not in STOP_WORDS)


_known = Memo(word_terms, KNOWN_WORDS)
