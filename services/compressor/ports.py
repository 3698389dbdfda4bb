"""What the domain needs of the world."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class TokenCounter(Protocol):
    """An encoding that counts tokens exactly; `services.text.tokens.Encoding` is one."""

    def __hash__(self) -> int: ...

    @property
    def name(self) -> str:
        """One of `prepared.COUNTED_ENCODINGS`."""
        ...

    def count(self, text: str) -> int:
        """Tokens of `text`."""
        ...

    def count_batch(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, in order."""
        ...
