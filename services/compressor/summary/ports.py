"""What writes summaries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from scic.errors import Reason


class SummaryError(Exception):
    """There is no summary. The message names neither what was sent nor what was answered."""

    def __init__(self, message: str, reason: Reason | None = None) -> None:
        super().__init__(message)
        self.reason: Final = reason
        """Of the error catalogue; None: the model answered, but nothing that can be used."""


class Summariser(Protocol):
    """A language model."""

    async def summarise(self, question: str, title: str, text: str, max_tokens: int, timeout_seconds: float) -> str:
        """Returns what a passage says about a question, "" where it says nothing. Raises SummaryError.

        Args:
            question: what the reader wants to know.
            title: of the passage; may be empty.
            text: the passage. Whoever wrote it is not trusted.
            max_tokens: what the summary should take at most. The caller counts: a longer one is of no use to it.
            timeout_seconds: what the caller has left.
        """
        ...
