"""What a question asks for: the terms that evidence can hold."""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING, Final

from services.text.memo import Memo
from services.text.terms import analyse

if TYPE_CHECKING:
    from collections.abc import Mapping

_KNOWN_WORDS: Final = 1 << 15
"""Words whose terms are remembered, with the punctuation they touch: at most about 10 MB."""
_LONGEST: Final = 32
"""Characters of a word that is named as it stands; of a longer one, and of writing without spaces, its terms are."""
_PSEUDONYM: Final = re.compile(r"\[[A-Z]+(?:_[A-Z]+)*_[0-9]+\]")
_EDGES: Final = re.compile(r"^\W+|\W+$")


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_ASKING: Final = _words("""
    called come comes date day define describe difference do example exactly explain find gave get gets give given
    gives go happen happened happens kind kinds know list long many may mean meaning means might much must name named
    names often old people person place please say says shall show sort tell thing things time type types use used uses
    want way ways will year years
""")
"""Words that say what kind of answer is wanted, or that one is: an answer seldom repeats them."""


def terms_of(text: str) -> list[str]:
    """What `analyse` gives, in a quarter of its time: no term reaches over white space, and most words come again."""
    return list(chain.from_iterable(map(_known.__getitem__, text.split())))


def asked_terms(question: str) -> Mapping[str, str]:
    """The terms of a question in order, each with the word it comes from; of asking words where it has no others."""
    words: dict[str, str] = {}
    rest: dict[str, str] = {}
    # Pseudonyms of what is masked stand in the evidence or they do not: nobody asks for them.
    for word in _PSEUDONYM.sub(" ", question).split():
        plain = _EDGES.sub("", word)
        for term in _known[word]:
            named = plain if len(plain) <= _LONGEST else term
            (rest if plain.casefold() in _ASKING else words).setdefault(term, named)
    return words or rest


def _terms(word: str) -> tuple[str, ...]:
    return tuple(analyse(word))


_known: Final = Memo(_terms, _KNOWN_WORDS)
