"""How candidates look on a terminal: what each is, and below it what became of it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from scic.cli.printable import printable
from scic.cli.show_quality import guarded_types, masked_types
from scic.cli.words import word
from scic.gateway.v1 import context_service_pb2 as pb
from scic.type.v1 import score_pb2, trust_pb2

_HEADINGS = ("fate", "tokens", "score (bm25+cosine)", "source and trust")
_SCORE = _HEADINGS.index("score (bm25+cosine)")
_FATE_STYLE = {"whole": "green", "compressed": "cyan", "summarised": "magenta"}
_PSEUDONYM = re.compile(r"\[([A-Z_]+)_[1-9][0-9]*\]")
_TIMES = "\N{MULTIPLICATION SIGN}"
_ID_PART = re.compile(r"[^/#]*[/#]|[^/#]+")


class Place:
    """A passage's id, which breaks after `/` and `#` alone, then its titles."""

    def __init__(self, passage_id: str, titles: str = "", style: str = "") -> None:
        words = printable(f"· {titles}").split() if titles else ()
        self._pieces = [*_ID_PART.findall(printable(passage_id)), *(f" {word}" for word in words)]
        self._style = style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """As few lines as the width allows; a part that is wider is folded."""
        yield Text("\n".join(self._lines(options.max_width)), self._style, overflow="fold")

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """From the widest part to all on one line."""
        widths = [cell_len(piece) for piece in self._pieces]
        return Measurement(max(widths, default=0), sum(widths)).clamp(max_width=options.max_width)

    def _lines(self, width: int) -> Iterator[str]:
        line = ""
        for piece in self._pieces:
            if line and cell_len(line + piece) > width:
                yield line
                line = piece.lstrip()
            else:
                line += piece
        yield line


@dataclass(frozen=True, slots=True)
class _Candidate:
    mark: str
    place: Place
    facts: tuple[str, ...]
    """A cell for each heading; the first is the fate."""

    style: str = ""
    """Of the fate."""


def show_candidates(console: Console, response: pb.BuildContextResponse) -> None:
    """Every candidate, what became of it and why: those in the prompt first."""
    candidates = [*_kept(response), *_left_out(response)]
    if not candidates:
        console.print("no candidate was found")
        return
    widths = [max(map(cell_len, column)) for column in zip(_HEADINGS, *(one.facts for one in candidates), strict=True)]
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_row("", Text("candidate", "bold"))
    table.add_row("", Text(_aligned(_HEADINGS, widths), "bold"))
    for one in candidates:
        table.add_row(Text(one.mark), one.place)
        facts = Text(_aligned(one.facts, widths))
        facts.stylize(one.style, 0, len(one.facts[0]))
        table.add_row("", facts)
    console.print(table)
    if any(_TIMES in one.facts[_SCORE] for one in candidates):
        console.print(f"score: (bm25 + cosine) {_TIMES} recency {_TIMES} novelty", style="dim", highlight=False)


def _kept(response: pb.BuildContextResponse) -> Iterator[_Candidate]:
    masked = masked_types(response.isolation)
    for item in response.evidence:
        fate = word(pb.Evidence.Fate.Name(item.fate), "FATE_")
        hides = any(found[1] in masked for found in _PSEUDONYM.finditer(item.text))
        yield _Candidate(
            f"[{item.citation}]",
            Place(item.passage_id, _titles(item.title_path), "bold"),
            _facts(f"{fate}, masked" if hides else fate, _tokens(item.original_token_count, item.token_count), item),
            _FATE_STYLE.get(fate, ""),
        )


def _left_out(response: pb.BuildContextResponse) -> Iterator[_Candidate]:
    types = ", ".join(guarded_types(response.isolation))
    for item in response.dropped:
        reason = word(pb.DroppedPassage.Reason.Name(item.reason), "REASON_")
        if item.reason == pb.DroppedPassage.REASON_GUARD and types:
            reason += f" ({types})"
        titles = f"the same as {item.duplicate_of}" if item.duplicate_of else _titles(item.title_path)
        tokens = _tokens(item.token_count, 0) if item.token_count else ""
        yield _Candidate("-", Place(item.passage_id, titles), _facts(f"out: {reason}", tokens, item))


def _facts(fate: str, tokens: str, item: pb.Evidence | pb.DroppedPassage) -> tuple[str, ...]:
    trust = word(trust_pb2.TrustLabel.Name(item.trust), "TRUST_LABEL_") if item.trust else ""
    return fate, tokens, _score(item.score), f"{item.source} {trust}".rstrip()


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(set_cell_size(cell, width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _score(score: score_pb2.Score) -> str:
    """What the score is made of; `-` for what was not ranked."""
    if score == score_pb2.Score():
        return "-"
    text = f"{score.value:.2f} ({_part(score.lexical_part)}+{_part(score.dense_part)})"
    factors = (score.recency, score.novelty)
    if any(factor > 0 and _part(factor) != "1" for factor in factors):
        text += "".join(f" {_TIMES}{_part(factor)}" for factor in factors)
    return text


def _part(share: float) -> str:
    return f"{share:.2f}".removeprefix("0").replace("1.00", "1")


def _tokens(before: int, after: int) -> str:
    return str(after) if before == after else f"{before} → {after}"


def _titles(path: Sequence[str]) -> str:
    return " > ".join(path[1:])
