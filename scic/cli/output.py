"""Standard output, which a person looks at or a program reads."""

from typing import Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.rule import Rule

_UNBOUNDED: Final = 1_000_000
"""Columns; wider than any line."""

_HEADING: Final = 80
"""Columns of a heading where nothing else bounds it."""


def output() -> Console:
    """Fits lines to a terminal; in a pipe or a file a line is as long as it is, so that nothing is wrapped or cut."""
    console = Console()
    if not console.is_terminal:
        console.width = _UNBOUNDED
    return console


class Heading(Rule):
    """A title with a line behind it."""

    def __init__(self, title: str, style: str = "rule.line") -> None:
        super().__init__(title, style=style, align="left")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        bounded = options.update_width(_HEADING) if options.max_width == _UNBOUNDED else options
        return super().__rich_console__(console, bounded)
