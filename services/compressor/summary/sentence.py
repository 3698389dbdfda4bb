# ruff: noqa: RUF001 - the ambiguous characters are what this file is about
"""Sentences and clauses as verification reads them: what they are about, and what they negate."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from services.text.sentences import split_sentences
from services.text.terms import analyse

_SAME: Final = str.maketrans({**dict.fromkeys("‘’ʼ", "'"), **dict.fromkeys("“”", '"'), **dict.fromkeys("‐‑‒–−", "-")})
_SUPERSCRIPT: Final = re.compile("[⁰¹²³⁴-⁹]+")
_CLAUSE_END: Final = re.compile(r"[,;:](?=\s)|\s-+\s|—|[()]|\s(?=(?:but|while|whereas|although|though|however)\b)")
_COORDINATION: Final = re.compile(r"\s(?=(?:and|or)\b)")
_NOT: Final = re.compile(
    r"\b(?:not|never|none|neither|nor|nobody|nothing|nowhere|no-one|cannot|hardly|scarcely|barely|rarely|seldom|lacks?"
    r"|(?:fail|refuse)(?:s|d|ed)? to|unable to|un(?:supported|available)|prohibit(?:s|ed)?|forbid(?:s|den)?"
    r"|disallow(?:s|ed)?)\b"
    r"|\bno\b(?!\.\s*\d)|n't\b",
    re.IGNORECASE,
)
_EXCEPT: Final = re.compile(
    r"\b(?:unless|except(?:ing)?|exclud(?:es?|ed|ing)|without|otherwise|other than|apart from|aside from|instead of"
    r"|rather than|only (?:if|when|where|on|for|after|before))\b",
    re.IGNORECASE,
)
_NUMBER: Final = re.compile(r"(?:[<>=≤≥±≈~] )?\S*\d\S*(?: [%‰°€£¥$]\S*)?")
"""With a comparison before and a sign behind, which may stand apart."""
_BEFORE: Final = "([{\"'`*|"
_BEHIND: Final = ".,;:!?)]}\"'`*|"


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a sentence."""

    terms: frozenset[str]
    """What it is about, numbers left out."""
    numbers: frozenset[str]
    """Its words that have a digit."""
    negated: frozenset[str] | None
    """Terms behind its first negation; None: it negates nothing."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, a row, a heading."""

    text: str
    terms: frozenset[str]
    """What it is about, numbers included."""
    clauses: tuple[Clause, ...]
    """Between commas, and before "but" and its like."""
    phrases: tuple[Clause, ...]
    """The clauses, cut before "and" and "or" too: what a number belongs to."""
    excepted: frozenset[str] | None
    """Terms behind its first "unless", "except", "without"; None: it has none. They reach beyond their clause."""

    @property
    def negates(self) -> bool:
        """Whether a clause of it does."""
        return any(clause.negated is not None for clause in self.clauses)


def normalise(text: str) -> str:
    """NFKC with one kind of quotes, hyphens and blanks; line ends stay. 10² does not become 102."""
    if not text.isascii():
        text = _SUPERSCRIPT.sub(lambda found: f"^{found[0]}", text)
        text = unicodedata.normalize("NFKC", text.translate(_SAME)).translate(_SAME)
    return re.sub(r"[^\S\n]+", " ", text)


def read_sentences(text: str) -> list[Sentence]:
    """The sentences of a normalised text."""
    return [_sentence(text[start:end]) for start, end in split_sentences(text)]


def number_words(text: str) -> list[str]:
    """Words of a text that have a digit, with their signs, without the punctuation around them."""
    return [word.lstrip(_BEFORE).rstrip(_BEHIND) for word in _NUMBER.findall(text)]


def _sentence(text: str) -> Sentence:
    clauses = _CLAUSE_END.split(text)
    phrases = [phrase for clause in clauses for phrase in _COORDINATION.split(clause)]
    exception = _EXCEPT.search(text)
    return Sentence(
        text=text,
        terms=frozenset(analyse(text)),
        clauses=tuple(map(_clause, filter(str.strip, clauses))),
        phrases=tuple(map(_clause, filter(str.strip, phrases))),
        excepted=frozenset(analyse(text[exception.end() :])) if exception else None,
    )


def _clause(text: str) -> Clause:
    negation = _NOT.search(text)
    return Clause(
        terms=frozenset(analyse(_NUMBER.sub(" ", text))),
        numbers=frozenset(number_words(text)),
        negated=frozenset(analyse(text[negation.end() :])) if negation else None,
    )
