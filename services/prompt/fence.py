"""Fences: the lines between which evidence stands, with a number that no text can know."""

import secrets
from collections.abc import Callable, Iterable
from typing import Final

from services.prompt.message import Trust

_DIGITS: Final = 24
PLAIN_NONCE: Final = "0" * _DIGITS
"""Costs what every number costs: both encodings cut digits into groups of three and have a token for each group."""


def draw_nonce() -> str:
    """A number of 24 decimal digits that cannot be guessed."""
    return f"{secrets.randbelow(10**_DIGITS):0{_DIGITS}d}"


def unknown_nonce(texts: Iterable[str], draw: Callable[[], str] = draw_nonce) -> str:
    """A number that stands in none of the texts."""
    known = tuple(texts)
    nonce = draw()
    while any(nonce in text for text in known):
        nonce = draw()
    return nonce


def opening(trust: Trust, nonce: str) -> str:
    """The line before evidence of a label, its line end included."""
    return f"[[BEGIN {trust.value} evidence {nonce}]]\n"


def closing(trust: Trust, nonce: str) -> str:
    """The line after it."""
    return f"[[END {trust.value} evidence {nonce}]]"
