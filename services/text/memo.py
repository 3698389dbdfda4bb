"""Remembers what was worked out for a short text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_Value = TypeVar("_Value")

_LONGEST: Final = 80
"""Characters of a text that is remembered: a longer one seldom comes back, and many of them would fill the memory."""


class Memo(dict[str, _Value], Generic[_Value]):
    """A function of a text whose results are kept, at most `size` of them; a full one begins anew.

    `memo[text]` is the result. A hit is a look-up in a dictionary and runs no Python: half of what `lru_cache` takes.
    Safe to share between threads.
    """

    __slots__ = ("_function", "_size")

    def __init__(self, function: Callable[[str], _Value], size: int) -> None:
        super().__init__()
        self._function = function
        self._size = size

    def __missing__(self, text: str) -> _Value:
        value = self._function(text)
        if len(text) <= _LONGEST:
            if len(self) >= self._size:
                self.clear()
            self[text] = value
        return value
