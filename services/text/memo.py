"""Remembers what was worked out for a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_Value = TypeVar("_Value")

_LONGEST: Final = 80
"""Characters of a word or a line."""


class Memo(dict[str, _Value], Generic[_Value]):
    """A function of a text whose results are kept, at most `size` of them; a full one begins anew.

    A text of more than `longest` characters is not kept: many of them would fill the memory.

    `memo[text]` is the result. A hit is a look-up in a dictionary and runs no Python: half of what `lru_cache` takes.
    Safe to share between threads.
    """

    __slots__ = ("_function", "_longest", "_size")

    def __init__(self, function: Callable[[str], _Value], size: int, *, longest: int = _LONGEST) -> None:
        super().__init__()
        self._function = function
        self._size = size
        self._longest = longest

    def __missing__(self, text: str) -> _Value:
        value = self._function(text)
        if len(text) <= self._longest:
            if len(self) >= self._size:
                self.clear()
            self[text] = value
        return value
