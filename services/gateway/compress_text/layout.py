"""What is left of a text's passages, as one text again."""

from collections.abc import Sequence
from typing import Final

from scic.compressor.v1 import compressor_service_pb2 as compressor
from scic.type.v1 import source_pb2
from services.gateway.building.candidate import Candidate

OVERHEAD: Final = 2
"""Tokens that stand between two passages: blank lines, or the mark of what was left out."""


def lay_out(
    text: str, passages: Sequence[Candidate], outcomes: Sequence[compressor.CompressedPassage], mark: str
) -> str:
    """The kept passages in their order.

    What stood side by side does so again. Where something is missing stands the title of the section that follows, once
    a section, or else `mark` on a line of its own. Code and conversations have neither: titles are no code.
    """
    parts: list[str] = []
    last = -1
    section: tuple[str, ...] | None = None
    for index, (passage, outcome) in enumerate(zip(passages, outcomes, strict=True)):
        if not outcome.spans:
            continue
        shown, titles = passage.shown(outcome), tuple(passage.passage.title_path)
        if last >= 0 and index == last + 1 and _touch(passages[last], outcomes[last], passage, outcome):
            parts.append(text[passages[last].document_spans(outcomes[last].spans)[-1].end : _begin(passage, outcome)])
        elif passage.passage.kind != source_pb2.SOURCE_KIND_DOCS:
            parts.append("\n" if parts else "")
        elif titles and titles != section and not _opens_with(shown, titles[-1]):
            parts.append(("\n\n" if parts else "") + " > ".join(titles) + "\n")
        elif parts:
            parts.append("\n\n" if titles and titles != section else f"\n{mark}\n")
        parts.append(shown)
        last, section = index, titles
    return "".join(parts)


def _touch(
    before: Candidate,
    kept_before: compressor.CompressedPassage,
    after: Candidate,
    kept_after: compressor.CompressedPassage,
) -> bool:
    """Whether nothing is missing between two neighbours that are stretches of the text."""
    return (
        before.is_verbatim
        and after.is_verbatim
        and compressor.CompressedPassage.REASON_SUMMARY not in {kept_before.reason, kept_after.reason}
        and not before.passage.text[kept_before.spans[-1].end :].strip()
        and not after.passage.text[: kept_after.spans[0].start].strip()
    )


def _begin(passage: Candidate, outcome: compressor.CompressedPassage) -> int:
    return passage.document_spans(outcome.spans)[0].start


def _opens_with(text: str, title: str) -> bool:
    """Whether the text's own first line is the title."""
    return text.lstrip().partition("\n")[0].strip("#*_= \t\r") == title
