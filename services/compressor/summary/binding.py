"""Whether a summary says of things what the passage says of them: numbers and negations stay where they belong."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from services.compressor.summary.sentence import Clause, Sentence

_YEAR: Final = re.compile(r"[12]\d{3}")


def moves_number(summary: Iterable[Sentence], source: Sequence[Sentence]) -> bool:
    """Whether a number stands with what another one belongs to.

    Of all phrases of the passage that have a number, or a year where it is one, none without this one may be more like
    what the summary says of it: "Ann has 7" is more like "Ann has 5" than "and Bob 7".
    """
    return any(
        _is_moved(number, phrase, sentence, source)
        for sentence in summary
        for phrase in sentence.phrases
        for number in phrase.numbers
    )


def _is_moved(number: str, said: Clause, sentence: Sentence, source: Sequence[Sentence]) -> bool:
    is_year = bool(_YEAR.fullmatch(number))
    right = wrong = -1
    for origin in source:
        common = len(sentence.terms & origin.terms)
        for phrase in origin.phrases:
            # "In 1907," is about what the rest of its sentence is about.
            likeness = 2 * len(said.terms & (phrase.terms or origin.terms)) + common
            if number in phrase.numbers:
                right = max(right, likeness)
            elif any(bool(_YEAR.fullmatch(other)) is is_year for other in phrase.numbers):
                wrong = max(wrong, likeness)
    # A number that no phrase has stands in a larger word of the passage; whether it may is not asked here.
    return 0 <= right < wrong


def turns_negation(summary: Iterable[Sentence], source: Sequence[Sentence]) -> bool:
    """Whether a summary affirms what the passage negates or excepts, or the other way round.

    A sentence without a negation must come from one without. In one with a negation each clause is compared with the
    clause that it is most like, and what is negated must be the same there.
    """
    return any(_is_turned(sentence, source) for sentence in summary)


def _is_turned(sentence: Sentence, source: Sequence[Sentence]) -> bool:
    origins = _most_like(sentence, source)
    if not any(_agree(sentence.excepted, origin.excepted) for origin in origins):
        return True
    if not sentence.negates:
        return all(origin.negates for origin in origins)
    return any(_is_clause_turned(clause, sentence, source) for clause in sentence.clauses)


def _is_clause_turned(clause: Clause, sentence: Sentence, source: Sequence[Sentence]) -> bool:
    best = (0, 0, 0)
    agreed = clause.negated is None
    for origin in source:
        common = len(sentence.terms & origin.terms)
        for other in origin.clauses:
            shared = len(clause.terms & other.terms)
            likeness = (shared, common, -len(other.terms))
            if shared and likeness >= best:
                agrees = _agree(clause.negated, other.negated)
                agreed = agrees or (agreed and likeness == best)
                best = likeness
    return not agreed


def _most_like(sentence: Sentence, source: Sequence[Sentence]) -> list[Sentence]:
    """The sentences that share most terms; of these the shortest."""
    likeness = [(len(sentence.terms & origin.terms), -len(origin.terms)) for origin in source]
    best = max(likeness)
    return [origin for origin, found in zip(source, likeness, strict=True) if found == best]


def _agree(said: frozenset[str] | None, origin: frozenset[str] | None) -> bool:
    """Whether both negate nothing, or something of what they negate is the same."""
    if said is None or origin is None:
        return said is origin
    return not said or not origin or not said.isdisjoint(origin)
