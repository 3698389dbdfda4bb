"""Patterns of which most texts match none."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import re2


class Pattern(NamedTuple):
    """A pattern in two tongues."""

    exact: re.Pattern[str]
    """What is looked for. It reads a bounded number of characters at each place, so that its time is linear."""
    rough: str
    """RE2 that matches wherever `exact` does; RE2 cannot look at what stands around a match."""


class Patterns:
    """Finds what several patterns match. One pass of RE2 over the text says which of them are worth a search."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        self._exact: list[re.Pattern[str]] = []
        # A set of RE2 starts its table anew when memory is short; it never gives up and says "no match".
        self._rough = re2.Set.SearchSet()
        for exact, rough in patterns:
            self._exact.append(exact)
            self._rough.Add(rough)
        self._rough.Compile()

    def find(self, text: str) -> Iterator[tuple[int, re.Match[str]]]:
        """The matches, each with the index of its pattern, pattern by pattern."""
        for index in self._rough.Match(text) or ():
            for match in self._exact[index].finditer(text):
                yield index, match
