"""Contexts whose quality is known: questions with the passages that answer them, and the same made worse."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from scic.gateway.v1 import context_service_pb2 as pb
from scic.type.v1 import message_pb2
from services.gateway.quality import measure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scic.gateway.v1 import quality_pb2

OVERHEAD = 50
RESERVED = 400
Reason = pb.DroppedPassage.Reason


class Case(NamedTuple):
    question: str
    titles: tuple[str, ...]
    answer: str
    """The sentence that answers."""
    rest: tuple[str, ...]
    """Sentences around it."""

    @property
    def text(self) -> str:
        return " ".join((self.rest[0], self.answer, *self.rest[1:]))


CASES = (
    Case(
        "How often must the bilge pump of the ferry Skerry be serviced?",
        ("Skerry handbook", "Engine room"),
        "The bilge pump of the ferry must be serviced every 400 hours.",
        (
            "The engine room lies below the car deck.",
            "Its two diesels were built in Bergen and drive a common shaft.",
            "A spare impeller hangs beside the door.",
            "The log of the chief engineer records every hour that they run.",
        ),
    ),
    Case(
        "Which error does the ledger raise when a posting is not balanced?",
        ("Ledger", "Postings"),
        "A posting that is not balanced makes the ledger raise UnbalancedPostingError.",
        (
            "Each posting has two sides, debit and credit.",
            "Rounding happens once, at the end, to whole cents.",
            "Nothing is written until all sides have been checked.",
            "Auditors read the journal, never the tables behind it.",
        ),
    ),
    Case(
        "When did Mirela Danescu open her first bakery in Constanța?",
        ("Mirela Danescu",),
        "Her first bakery in Constanța, three tables and one oven, opened in March 1987.",
        (
            "Mirela Danescu learned to bake from her grandmother.",
            "Sourdough of rye made the house known far beyond the harbour.",
            "Today her daughters lead eleven shops along the coast.",
            "She wrote two books on bread and one on salt.",
        ),
    ),
    Case(
        "What limits the number of goats on the common pasture of Oberau?",
        ("Oberau", "Commons"),
        "The number of goats on the common pasture is limited by the hay that a farm can store for winter.",
        (
            "Oberau counts twenty farms above the river.",
            "Cheese from summer milk ripens in a cellar of rock.",
            "A council of five meets on the first Sunday of May.",
            "Fences are mended before the snow has gone.",
        ),
    ),
    Case(
        "How does the cache evict entries when memory is full?",
        ("Cache", "Memory"),
        "When memory is full the cache evicts the entries that were used least lately.",
        (
            "The cache holds replies as compressed bytes.",
            "A key names the tenant, the question and the version of the corpus.",
            "Writes go to the primary alone.",
            "Counters tell how often a look-up was answered.",
        ),
    ),
    Case(
        "Who restored the organ of Saint Brannock after the flood?",
        ("Saint Brannock", "Organ"),
        "After the flood of 1952 the organ was restored by Tamsin Pell, who slept in the church for a winter.",
        (
            "Saint Brannock stands on the highest ground of the village.",
            "Wind comes from bellows that two people used to tread.",
            "Its oldest pipes are of tin, the longest of pine.",
            "Concerts are given on the last Friday of each month.",
        ),
    ),
)


def evidence(
    text: str,
    *,
    titles: Sequence[str] = (),
    document: str = "",
    start: int = 0,
    cosine: float = 0.0,
    source: str = "docs",
    tokens: int | None = None,
) -> pb.Evidence:
    """A whole passage that stands at `start` in its document; a word counts as a token."""
    passage = pb.Evidence(
        passage_id=f"{document or text}#{start}",
        document_id=document,
        source=source,
        title_path=titles,
        text=text,
        token_count=len(text.split()) if tokens is None else tokens,
        fate=pb.Evidence.FATE_WHOLE,
    )
    passage.spans.add(start=start, end=start + len(text))
    passage.score.dense = cosine
    return passage


def passage_of(case: Case, *, cosine: float = 0.0, text: str | None = None) -> pb.Evidence:
    """The passage that answers, with another text where one is given."""
    return evidence(case.text if text is None else text, titles=case.titles, document=case.titles[0], cosine=cosine)


def dropped(
    tokens: int, *titles: str, cosine: float = 0.0, reason: Reason.ValueType = pb.DroppedPassage.REASON_BUDGET
) -> pb.DroppedPassage:
    """A candidate that was left out."""
    passage = pb.DroppedPassage(token_count=tokens, title_path=titles, reason=reason)
    passage.score.dense = cosine
    return passage


def usage(passages: Sequence[pb.Evidence]) -> pb.TokenUsage:
    """What a prompt with these passages takes."""
    total = sum(passage.token_count for passage in passages) + OVERHEAD + RESERVED
    used = pb.TokenUsage(total=total, max_tokens=2000)
    used.sections.add(section=message_pb2.SECTION_RESERVED_OUTPUT, token_count=RESERVED)
    return used


def measured(question: str, *passages: pb.Evidence, left_out: Sequence[pb.DroppedPassage] = ()) -> quality_pb2.Quality:
    """The quality of a context of these passages."""
    return measure(question, passages, left_out, usage(passages))
