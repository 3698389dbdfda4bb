"""Question-answering records, and what a compressed context keeps of the answers and of their evidence."""

from __future__ import annotations

import gzip
import json
import re
import string
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

Span = tuple[int, int]

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation + "\u2013\u2014\u2018\u2019\u201c\u201d\u00b4`", " "))
_SENTENCE_END = re.compile("(?<=[.!?])[\"'\u201d\u2019)\\]]*\\s+|\\n+")
_AROUND = 3
"""Words on either side of an answer that must survive with it, when evidence is judged."""


@dataclass(frozen=True, slots=True)
class Document:
    """A passage of a record."""

    title: str
    text: str
    gold: bool
    support: tuple[str, ...]
    """Sentences that the answer rests on."""


@dataclass(frozen=True, slots=True)
class Record:
    """A question, its answers, and the passages it comes with."""

    id: str
    question: str
    answers: tuple[str, ...]
    documents: tuple[Document, ...]
    hops: tuple[tuple[int, str], ...]
    """Document and answer of each step, where the set names them."""


def read_records(path: Path) -> list[Record]:
    """The records of a .jsonl or .jsonl.gz file."""
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        return [_record(json.loads(line)) for line in lines]


def _record(row: dict[str, Any]) -> Record:
    documents = tuple(
        Document(d["title"], d["text"], bool(d.get("gold")), tuple(d["sents"][i] for i in d.get("sup", ())))
        for d in row["docs"]
    )
    hops = tuple((hop["doc"], hop["answer"]) for hop in row.get("hops", ()))
    return Record(row["id"], row["question"], tuple(row["answers"]), documents, hops)


def normal(text: str) -> str:
    """SQuAD's normalisation; punctuation becomes a blank, accents stay."""
    lowered = unicodedata.normalize("NFKC", text).lower().translate(_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", lowered).split())


def header(document: Document) -> str:
    """What stands above a kept document."""
    return f"[{document.title}]\n"


def render(record: Record, kept: Sequence[Sequence[Span]]) -> str:
    """The context: for each document its kept spans; a document without spans is left out."""
    return "\n".join(
        header(document) + " ".join(document.text[start:end] for start, end in spans)
        for document, spans in zip(record.documents, kept, strict=True)
        if spans
    )


def whole(record: Record) -> str:
    """The context with everything."""
    return render(record, [((0, len(document.text)),) for document in record.documents])


class Judge:
    """What contexts keep of one record; its phrases are normalised once."""

    def __init__(self, record: Record) -> None:
        self._record = record
        answers = [normal(answer) for answer in record.answers]
        is_judged = not {"yes", "no"} & set(answers) and _holds(normal(whole(record)), answers)
        self._answers = answers if is_judged else None
        self._items = [item for item in _evidence(record) if item]

    def verdict(self, kept: Sequence[Sequence[Span]]) -> tuple[bool | None, bool | None]:
        """Whether an answer stands in the context, and whether every item of evidence does.

        None for the first where the answer is yes or no, or nowhere in the whole; for the second where the record names
        no evidence.
        """
        text = normal(render(self._record, kept))
        answer = None if self._answers is None else _holds(text, self._answers)
        return answer, all(_holds(text, item) for item in self._items) if self._items else None


def _holds(text: str, phrases: Iterable[str]) -> bool:
    return any(phrase and f" {phrase} " in f" {text} " for phrase in phrases)


def _evidence(record: Record) -> list[list[str]]:
    """Items, each kept where any of its phrases is."""
    if record.hops:
        return [_windows(record.documents[index].text, [answer]) for index, answer in record.hops]
    if any(document.support for document in record.documents):
        return [[normal(s)] for document in record.documents for s in document.support if normal(s)]
    gold = [document for document in record.documents if document.gold]
    return [[window for document in gold for window in _windows(document.text, record.answers)]]


def _windows(text: str, answers: Iterable[str]) -> list[str]:
    """Every occurrence of an answer with the words around it, inside its sentence."""
    found = []
    for sentence in _SENTENCE_END.split(text):
        words = normal(sentence).split()
        for answer in answers:
            target = normal(answer).split()
            found += [
                " ".join(words[max(0, at - _AROUND) : at + len(target) + _AROUND])
                for at in range(len(words) - len(target) + 1)
                if target and words[at : at + len(target)] == target
            ]
    return found


def positives(record: Record, units: Sequence[Sequence[Span]]) -> list[list[tuple[int, int]]]:
    """For each item of evidence the (document, unit) pairs that hold it; items that no unit holds are left out."""
    if record.hops:
        items = [_holding(record, units, [index], [answer]) for index, answer in record.hops]
    elif any(document.support for document in record.documents):
        items = [
            [
                (index, unit)
                for unit, (start, end) in enumerate(units[index])
                if start < at + len(sentence.strip()) and end > at >= 0
            ]
            for index, document in enumerate(record.documents)
            for sentence in document.support
            for at in [document.text.find(sentence.strip())]
        ]
    else:
        gold = [index for index, document in enumerate(record.documents) if document.gold]
        items = [_holding(record, units, gold, record.answers)]
    return [item for item in items if item]


def _holding(
    record: Record, units: Sequence[Sequence[Span]], documents: Iterable[int], answers: Iterable[str]
) -> list[tuple[int, int]]:
    phrases = [normal(answer) for answer in answers]
    return [
        (index, unit)
        for index in documents
        for unit, (start, end) in enumerate(units[index])
        if _holds(normal(record.documents[index].text[start:end]), phrases)
    ]
