"""Documents that are changed while they are asked about, and the oracle that knows which of their texts may be seen.

Every sentence and the title of a document carry a mark, the document's key with the number of its edition, so that any
part of it that a reply shows tells how old it is.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks.corpus import CorpusError
from scic.gateway.v1.context_service_pb2 import BuildContextResponse
from scic.gateway.v1.corpus_service_pb2 import DocumentInput

DELETED = 1 << 30
"""The edition that no text has."""
_SENTENCES = 4
"""Sentences of a document."""
_ASKED_WORDS = 7
_MARK = re.compile(r"\b(entry\d{4})ed(\d+)\b")


def key_of(number: int) -> str:
    """Names a document, and is found in no other's text or question."""
    return f"entry{number:04d}"


@dataclass(slots=True)
class Editions:
    """The documents `0..count-1`, made of sentences that are all different."""

    sentences: Sequence[str]
    count: int
    acknowledged: list[int] = field(init=False)
    """Of each document the newest edition that the mesh has said to be indexed, DELETED where it has said so."""
    begun: list[int] = field(init=False)
    """The newest that was sent."""

    def __post_init__(self) -> None:
        if len(self.sentences) < self.count * _SENTENCES:
            raise CorpusError(f"{self.count} documents need {self.count * _SENTENCES} sentences: take a larger corpus.")
        self.acknowledged, self.begun = [0] * self.count, [0] * self.count

    def document(self, number: int) -> DocumentInput:
        """The document in the edition that was begun last."""
        mark = f"{key_of(number)}ed{self.begun[number]}"
        own = self.sentences[number * _SENTENCES : (number + 1) * _SENTENCES]
        return DocumentInput(
            document_id=key_of(number),
            title=f"{key_of(number)} {mark}",
            content=" ".join(f"{sentence.rstrip('.')} ({mark})." for sentence in own).encode(),
            content_type="text/plain",
        )

    def question(self, number: int) -> str:
        """What is asked about a document, whatever its edition."""
        words = self.sentences[number * _SENTENCES].split()[:_ASKED_WORDS]
        return f"What does {key_of(number)} say about: {' '.join(words)}?"

    def begin(self, number: int, edition: int | None = None) -> None:
        """Notes that a change is sent: to the next edition, or to DELETED."""
        self.begun[number] = self.begun[number] + 1 if edition is None else edition

    def acknowledge(self, number: int) -> None:
        """Notes that the mesh has said that it is done."""
        self.acknowledged[number] = self.begun[number]

    def stale(self, reply: BuildContextResponse, known: Sequence[int]) -> set[str]:
        """Keys of documents that a reply shows in an older edition than was `acknowledged` when it was asked for."""
        numbers = {key_of(number): number for number in range(self.count)}
        return {key for key, edition in marks(reply) if edition < known[numbers[key]]}

    def is_wrong(self, reply: BuildContextResponse, number: int, asked: str) -> bool:
        """Whether a reply is another question's, or lacks the one document that it should have."""
        if " ".join(reply.messages[-1].content.split()) != " ".join(asked.split()):
            return True
        named = {item.document_id for item in reply.evidence}
        return key_of(number) not in named and self.begun[number] != DELETED


def marks(reply: BuildContextResponse) -> Iterator[tuple[str, int]]:
    """Key and edition of every mark in whatever a reply shows."""
    titles = [title for shown in reply.evidence for title in shown.title_path]
    titles += [title for left_out in reply.dropped for title in left_out.title_path]
    for text in (*(message.content for message in reply.messages), *titles):
        for key, edition in _MARK.findall(text):
            yield key, int(edition)


def reworded(question: str, form: int) -> str:
    """A question that says the same: 0 in other white space, 1 with a polite word before it, 2 in other words."""
    match form % 3:
        case 0:
            return f"  {question.replace(' ', '  ', 3)}\n"
        case 1:
            return f"Please tell me: {question}"
        case _:
            return question.replace("What does ", "According to ").replace(" say about:", ", what is the matter with:")
