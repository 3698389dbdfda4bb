"""Figures beside their goals."""

import io
import json
import math
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.report import Figure, Goal, at_least, at_most, below, exactly, read, show, write


@pytest.mark.parametrize(
    ("goal", "value", "holds"),
    [
        pytest.param(at_least(15), 15.0, True, id="at least: the bound itself"),
        pytest.param(at_least(15), 14.9, False, id="at least: less"),
        pytest.param(at_most(0), 0, True, id="at most: the bound itself"),
        pytest.param(at_most(0), 1, False, id="at most: more"),
        pytest.param(below(8), 8.0, False, id="below: the bound itself"),
        pytest.param(below(8), 7.99, True, id="below: less"),
        pytest.param(exactly(100), 100, True, id="exactly: the bound itself"),
        pytest.param(exactly(100), 101, False, id="exactly: more"),
        pytest.param(exactly(100), 99, False, id="exactly: less"),
        pytest.param(at_least(0), math.nan, False, id="not a number"),
        pytest.param(None, 1.0, None, id="no goal"),
    ],
)
def test_a_figure_says_whether_it_holds(goal: Goal | None, value: float, holds: bool | None) -> None:
    assert Figure("f", value, "ms", goal).holds is holds


def test_figures_are_written_as_a_list_of_five_fields_each(tmp_path: Path) -> None:
    path = tmp_path / "made" / "figures.json"
    write(path, [Figure("fast", 1.23456, "ms", below(8)), Figure("seen", 3, "requests")])
    assert json.loads(path.read_text(encoding="utf-8")) == [
        {"name": "fast", "value": 1.235, "unit": "ms", "goal": "< 8", "holds": True},
        {"name": "seen", "value": 3, "unit": "requests", "goal": None, "holds": None},
    ]


@pytest.mark.parametrize("goal", [at_least(50), at_most(0.1), below(1000), exactly(100), None])
def test_figures_that_were_written_can_be_read(tmp_path: Path, goal: Goal | None) -> None:
    figures = [Figure("a", 0.125, "ms", goal), Figure("b", 3, "")]
    write(tmp_path / "figures.json", figures)
    assert read(tmp_path / "figures.json") == figures


def test_the_table_shows_every_figure_with_its_goal_and_verdict() -> None:
    out = io.StringIO()
    figures = [
        Figure("throughput", 1234.5, "requests/s", at_least(1000)),
        Figure("p95", 61.25, "ms", at_most(60)),
        Figure("seen", 3, "requests"),
    ]
    show("The mesh", figures, Console(file=out, width=80))
    rows = [line.split() for line in out.getvalue().splitlines()]
    assert rows[2:] == [
        ["throughput", "1,234", "requests/s", ">=", "1000", "yes"],
        ["p95", "61.2", "ms", "<=", "60", "no"],
        ["seen", "3", "requests"],
    ]
