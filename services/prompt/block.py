"""How a passage stands in the prompt."""

from collections import Counter
from dataclasses import dataclass

from services.prompt.defuse import defuse_evidence, defuse_title
from services.prompt.imitations import Imitation
from services.prompt.request import Evidence


@dataclass(frozen=True, slots=True)
class Block:
    """A passage, defused, without its number."""

    header: str
    """Titles and source."""
    text: str

    def numbered(self, number: int) -> str:
        """The passage under its number, which is what the model cites.

        It begins with `[` and ends with an empty line. No token of either encoding reaches across such a seam, so
        tokens of blocks add up; and every number up to 999 is one token, so they do not depend on it.
        """
        header = f"[{number}] {self.header}" if self.header else f"[{number}]"
        return f"{header}\n{self.text}\n\n"


def write_block(item: Evidence) -> tuple[Block, Counter[Imitation]]:
    """A passage as a block, and what was defused in it."""
    title, source = defuse_title(" > ".join(item.title_path)), defuse_title(item.source)
    text = defuse_evidence(item.text)
    header = " ".join(part for part in (title.text, f"({source.text})" if source.text else "") if part)
    return Block(header, text.text), title.counts + source.counts + text.counts
