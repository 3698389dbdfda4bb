"""A value that somebody may not want to be seen."""

from dataclasses import dataclass

from services.gateway.guard.policy import SensitiveType


@dataclass(frozen=True, slots=True)
class Sensitive:
    """A value as a reader sees it in a text."""

    type: SensitiveType
    text: str
    """Not empty, without hidden characters."""
