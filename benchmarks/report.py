"""Figures beside their goals: how every benchmark of the project writes and prints what it measured."""

import json
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"
"""Where benchmarks write."""

_VERDICTS = {True: "[green]yes[/]", False: "[bold red]no[/]", None: ""}


class Relation(Enum):
    """How a value must stand to its bound."""

    AT_LEAST = ">="
    AT_MOST = "<="
    BELOW = "<"
    EXACTLY = "="


_COMPARE = {
    Relation.AT_LEAST: operator.ge,
    Relation.AT_MOST: operator.le,
    Relation.BELOW: operator.lt,
    Relation.EXACTLY: operator.eq,
}


@dataclass(frozen=True, slots=True)
class Goal:
    """What a value should be, in the value's own unit."""

    relation: Relation
    bound: float

    def __str__(self) -> str:
        return f"{self.relation.value} {self.bound:g}"

    def holds(self, value: float) -> bool:
        """Whether a value meets the goal; NaN never does."""
        return bool(_COMPARE[self.relation](value, self.bound))


def at_least(bound: float) -> Goal:
    """value >= bound."""
    return Goal(Relation.AT_LEAST, bound)


def at_most(bound: float) -> Goal:
    """value <= bound."""
    return Goal(Relation.AT_MOST, bound)


def below(bound: float) -> Goal:
    """value < bound."""
    return Goal(Relation.BELOW, bound)


def exactly(bound: float) -> Goal:
    """value = bound."""
    return Goal(Relation.EXACTLY, bound)


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value."""

    name: str
    value: float
    unit: str
    goal: Goal | None = None
    """None: shown for what it explains."""

    @property
    def holds(self) -> bool | None:
        """Whether the goal is met; None without one."""
        return self.goal.holds(self.value) if self.goal else None


def write(path: Path, figures: Sequence[Figure]) -> None:
    """Write a JSON list of `{name, value, unit, goal, holds}`; a figure without a goal has null for both."""
    rows = [
        {
            "name": figure.name,
            "value": round(figure.value, 3),
            "unit": figure.unit,
            "goal": str(figure.goal) if figure.goal else None,
            "holds": figure.holds,
        }
        for figure in figures
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def read(path: Path) -> list[Figure]:
    """The figures that `write` wrote, as exact as they stand there."""
    rows = json.loads(path.read_text(encoding="utf-8"))
    return [Figure(row["name"], row["value"], row["unit"], _goal(row["goal"])) for row in rows]


def _goal(text: str | None) -> Goal | None:
    if text is None:
        return None
    relation, _, bound = text.partition(" ")
    return Goal(Relation(relation), float(bound))


def show(title: str, figures: Sequence[Figure], console: Console) -> None:
    """Print the figures as a table."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("unit")
    table.add_column("goal", justify="right")
    table.add_column("holds")
    for figure in figures:
        goal = str(figure.goal) if figure.goal else ""
        table.add_row(figure.name, _rounded(figure.value), figure.unit, goal, _VERDICTS[figure.holds])
    console.print(table)


def _rounded(value: float) -> str:
    """Three digits that count, or all that stand before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
