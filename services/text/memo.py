"""Remembers what was worked out for a text."""

from __future__ import annotations

from hashlib import blake2b
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


class Remembered(Generic[_Value]):
    """A function of a text whose results are kept by the text's digest; the text itself is not.

    At most `size` results are kept, of texts of at most `longest` characters; a full one begins anew. Safe to share
    between threads.
    """

    def __init__(self, function: Callable[[str], _Value], size: int, *, longest: int) -> None:
        self._function = function
        self._size = size
        self._longest = longest
        self._results: dict[bytes, _Value] = {}

    def __call__(self, text: str) -> _Value:
        """Give the result."""
        if len(text) > self._longest:
            return self._function(text)
        digest = blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()
        try:
            return self._results[digest]
        except KeyError:
            value = self._function(text)
        if len(self._results) >= self._size:
            self._results.clear()
        self._results[digest] = value
        return value
