"""How the difference of two contexts looks on a terminal."""

import json
from collections.abc import Iterable, Iterator

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from scic.cli.counted import counted
from scic.cli.printable import printable
from scic.cli.show_candidates import Place
from scic.cli.show_profiles import change_lines
from scic.cli.show_quality import FIGURES
from scic.cli.words import word
from scic.gateway.v1 import ledger_service_pb2 as pb
from scic.gateway.v1 import profile_service_pb2 as profiles
from scic.gateway.v1 import quality_pb2
from scic.type.v1 import message_pb2

_LONGEST = 200
"""Characters of an item of a list; `--json` has it whole."""


def show_context_diff(console: Console, diff: pb.ContextDiff) -> None:
    """Fields, passages, sections, figures and hints that differ."""
    fields = [line for change in diff.fields for line in _field_lines(change)]
    passages = [
        (Place(change.passage_id, change.title), _state(change.before), _state(change.after, change))
        for change in diff.passages
    ]
    sections = [
        (_section(change.section), str(change.before), f"{change.after} ({change.after - change.before:+d})")
        for change in diff.sections
    ]
    figures = list(_figures(diff))
    hints = list(_hint_lines(diff.quality_before, diff.quality_after))
    if not (fields or passages or sections or figures or hints):
        console.print("nothing differs")
        return
    _show_lines(console, fields)
    _show_table(console, "passage", passages)
    _show_table(console, "tokens", sections)
    _show_table(console, "quality", figures)
    _show_lines(console, hints)


def _field_lines(change: profiles.FieldChange) -> Iterator[str]:
    """A field that differs; of a list, only the items that came and went."""
    before, after = _items(change.before), _items(change.after)
    if before is None or after is None:
        yield from change_lines(change)
        return
    gone = [item for item in before if item not in after]
    come = [item for item in after if item not in before]
    if not (gone or come):  # in another order, or one of them another time
        gone, come = before, after
    yield f"{change.field}:"
    yield from (f"  - {_line(item)}" for item in gone)
    yield from (f"  + {_line(item)}" for item in come)


def _items(text: str) -> list[object] | None:
    """The items of a list in JSON, or nothing; None of any other value."""
    value = json.loads(text) if text else []
    return value if isinstance(value, list) else None


def _line(item: object) -> str:
    if isinstance(item, dict):
        item = "; ".join(f"{name}: {value}" for name, value in item.items())
    text = " ".join(str(item).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _state(state: pb.ContextDiff.PassageState, change: pb.ContextDiff.PassageChange | None = None) -> Text:
    fate = state.fate.lower().replace("_", " ").replace("dropped", "out")
    tokens = f", {counted(state.token_count, 'token')}" if state.token_count else ""
    citation = f"[{state.citation}] " if state.citation else ""
    other = ", other text" if change and change.text_changed and change.before.citation and state.citation else ""
    return Text(f"{citation}{fate}{tokens}{other}")


def _figures(diff: pb.ContextDiff) -> Iterator[tuple[str, str, str]]:
    both = diff.HasField("quality_before") and diff.HasField("quality_after")
    for name in FIGURES:
        old, new = getattr(diff.quality_before, name), getattr(diff.quality_after, name)
        before = f"{old:.2f}" if diff.HasField("quality_before") else "-"
        after = f"{new:.2f}" if diff.HasField("quality_after") else "-"
        if before != after:
            # Of the figures as they are shown, so that they add up.
            change = f" ({float(after) - float(before):+.2f})" if both else ""
            yield name.replace("_", " "), before, f"{after}{change}"


def _hint_lines(before: quality_pb2.Quality, after: quality_pb2.Quality) -> Iterator[str]:
    """Hints of a kind that came or went: their figures move with every request."""
    for sign, these, others in (("-", before, after), ("+", after, before)):
        kinds = {hint.kind for hint in others.recommendations}
        yield from (f"{sign} hint {hint.detail}" for hint in these.recommendations if hint.kind not in kinds)


def _section(section: message_pb2.Section.ValueType) -> str:
    return word(message_pb2.Section.Name(section), "SECTION_")


def _show_lines(console: Console, lines: Iterable[str]) -> None:
    for line in lines:
        console.print(Text(printable(line)), soft_wrap=True)


def _show_table(console: Console, what: str, rows: Iterable[tuple[RenderableType, ...]]) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in (what, "before", "after"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*row)
    if table.row_count:
        console.print(table)
