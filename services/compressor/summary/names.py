"""Names of a summary: those of the passage, of what the passage says of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from services.compressor.summary.facts import stands
from services.text.terms import analyse
from services.text.wordlists import STARTERS, STOP_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from services.compressor.summary.sentence import Sentence

_RUN: Final = re.compile(r"(?<![\w'&/-])[^\W\d_a-z][\w.&'/-]*(?: [^\W\d_a-z][\w.&'/-]*)*")
"""Words in a row that do not begin with a small letter."""
_REACH: Final = 2
"""Sentences back that a pronoun may point."""


def invents_name(summary: Iterable[Sentence], text: str, terms: frozenset[str]) -> bool:
    """Whether a summary has a name that the passage has not: "John Smith" is none of John Brown and Mary Smith.

    Args:
        summary: its sentences.
        text: the passage, normalised.
        terms: of the passage. A word that begins a sentence may be a usual one; it needs to have its term only.
    """
    return any(
        not _is_known(run[0], text, terms, opens=not sentence.text[: run.start()].strip(" \"'([*-#|>"))
        for sentence in summary
        for run in _RUN.finditer(sentence.text)
        if not run[0][0].islower()
    )


def moves_name(summary: Iterable[Sentence], source: Sequence[Sentence]) -> bool:
    """Whether a name stands where the passage has another one.

    It must stand in the sentence that is most like what the summary says of it, shortly before, where a pronoun may
    point to, or in the first one, which is the title where there is one.
    """
    return any(
        _is_moved(frozenset(analyse(run[0])), sentence, source)
        for sentence in summary
        for run in _RUN.finditer(sentence.text)
        if not run[0][0].islower()
    )


def _is_moved(name: frozenset[str], sentence: Sentence, source: Sequence[Sentence]) -> bool:
    said = next((phrase.terms for phrase in sentence.phrases if name <= phrase.terms), sentence.terms) - name
    around = sentence.terms - name
    likeness = [2 * len(said & origin.terms) + len(around & origin.terms) for origin in source]
    best = max(likeness)
    return not any(
        name <= source[0].terms.union(*(origin.terms for origin in source[max(0, index - _REACH) : index + 1]))
        for index, found in enumerate(likeness)
        if found == best
    )


def _is_known(run: str, text: str, terms: frozenset[str], *, opens: bool) -> bool:
    folded, name = text.casefold(), re.sub(r"(?:'s?|\.)$", "", run.casefold())
    if stands(name, folded):
        return True
    first, _, rest = name.partition(" ")
    if first not in STOP_WORDS and not (opens and _is_usual(first, text, folded, terms)):
        return False
    return not rest or stands(rest, folded)


def _is_usual(word: str, text: str, folded: str, terms: frozenset[str]) -> bool:
    """Whether only its place gives a word its capital: the passage has it in small letters, or in another form."""
    if word in STARTERS or stands(word, text):
        return True
    return not stands(word, folded) and terms.issuperset(analyse(word))
