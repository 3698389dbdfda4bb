"""Patterns of a request, as RE2 finds them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import re2

from services.compressor.pins.pin import Pin, PinType
from services.compressor.pins.scalars import scalars

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_PATTERN_LENGTH: Final = 256
MAX_MATCH_LENGTH: Final = 512
"""Bytes of a match that is found for sure; of a longer one, the beginning counts. RE2 reads a text once for each match,
so that all matches of a text take quadratic time without a bound."""


class PatternError(ValueError):
    """A pattern that cannot be a pin."""

    def __init__(self, index: int, message: str) -> None:
        super().__init__(f"pattern {index}: {message}")
        self.index = index
        """Of the pattern."""
        self.message = message


class Patterns:
    """Compiled patterns."""

    __slots__ = ("_compiled",)

    def __init__(self, compiled: Sequence[re2._Regexp]) -> None:
        self._compiled = tuple(compiled)

    def find(self, text: str) -> list[Pin]:
        """What they match, by its beginning; matches of one pattern do not overlap."""
        encoded = scalars(text).encode()
        found = []
        for compiled in self._compiled:
            known = at = 0
            for start, end in _matches(compiled, encoded):
                first = at + len(encoded[known:start].decode())
                last = first + len(encoded[start:end].decode())
                found.append(Pin(first, last, PinType.PATTERN))
                known, at = end, last
        return sorted(found, key=lambda pin: (pin.start, pin.end))


def _matches(compiled: re2._Regexp, encoded: bytes) -> Iterator[tuple[int, int]]:
    """Byte spans of the matches that are not empty."""
    position = 0
    while position < len(encoded):
        stop = _bound(encoded, position + 2 * MAX_MATCH_LENGTH)
        # A match begins in the first half of what is searched, so that it has the other half to end in.
        half = _bound(encoded, position + MAX_MATCH_LENGTH) if stop < len(encoded) else stop
        match = compiled.search(encoded, position, stop)
        if match is None or match.start() >= half:
            position = half
        elif match.end() == match.start():
            position = _bound(encoded, match.end() + 1)
        else:
            yield match.span()
            position = match.end()


def _bound(encoded: bytes, at: int) -> int:
    """The first beginning of a character from there on."""
    while at < len(encoded) and encoded[at] & 0xC0 == 0x80:  # noqa: PLR2004
        at += 1
    return min(at, len(encoded))


@lru_cache(maxsize=256)
def compile_patterns(patterns: tuple[str, ...]) -> Patterns:
    """The patterns of a request, ready to find.

    Raises:
        PatternError: one is longer than `MAX_PATTERN_LENGTH`, is no RE2, or matches the empty string.
    """
    return Patterns([_compile(index, pattern) for index, pattern in enumerate(patterns)])


def _compile(index: int, pattern: str) -> re2._Regexp:
    if len(pattern) > MAX_PATTERN_LENGTH:
        raise PatternError(index, f"longer than {MAX_PATTERN_LENGTH} characters")
    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else "no RE2"
        raise PatternError(index, reason.decode() if isinstance(reason, bytes) else str(reason)) from error
    except UnicodeEncodeError as error:
        raise PatternError(index, "holds a lone surrogate") from error
    if compiled.search("") is not None:
        raise PatternError(index, "matches the empty string")
    return compiled
