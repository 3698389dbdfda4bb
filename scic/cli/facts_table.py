"""What is known of one thing, a line for each fact."""

from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape
from rich.table import Table


def show_facts(console: Console, facts: Iterable[tuple[str, str]]) -> None:
    """Names and values below one another."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(name, escape(value))
    console.print(table)
