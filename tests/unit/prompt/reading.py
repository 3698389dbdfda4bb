"""Reads a prompt back, knowing nothing of how it is written but its fences."""

import re
from dataclasses import dataclass

from services.prompt.message import Message, Section

_BEGIN = re.compile(r"\[\[BEGIN (trusted|untrusted) evidence (\d{24})\]\]")
_END = re.compile(r"\[\[END (trusted|untrusted) evidence (\d{24})\]\]")


@dataclass(frozen=True)
class Fenced:
    """What stands in one fence."""

    label: str
    nonce: str
    text: str


def read_fences(messages: tuple[Message, ...]) -> list[Fenced]:
    """The fences of all evidence messages. Fails where one holds more than a fence, or its number stands elsewhere."""
    found = []
    for message in messages:
        if message.section is not Section.EVIDENCE:
            continue
        first, *middle, last = message.content.split("\n")
        begin, end = _BEGIN.fullmatch(first), _END.fullmatch(last)
        assert begin, "evidence begins with its fence line"
        assert end, "and ends with it"
        assert begin.groups() == end.groups()
        text = "\n".join(middle)
        assert not _BEGIN.search(text)
        assert not _END.search(text)
        assert message.trust
        assert begin[1] == message.trust.value
        found.append(Fenced(begin[1], begin[2], text))
    for nonce in {fence.nonce for fence in found}:
        everywhere = "\n".join(message.content for message in messages)
        assert everywhere.count(nonce) == 2 * len(found), "the number stands in the fence lines only"
    return found
