"""What the limits need of whoever counts over all gateways."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from services.gateway.limits.rule import Rule


class LimitsAwayError(Exception):
    """What was used cannot be known now, or not in time."""


class LimitsBusyError(Exception):
    """This gateway has more to count than it can in time."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a call takes of a rule, as estimated."""

    rule: Rule
    requests: int
    """1 or more."""

    tokens: int

    @property
    def never_fits(self) -> Literal["requests", "tokens"] | None:
        """Of what it takes more than the rule lets in within a whole window; None where it may fit."""
        if self.rule.requests is not None and self.requests > self.rule.requests:
            return "requests"
        if self.rule.tokens is not None and self.tokens > self.rule.tokens:
            return "tokens"
        return None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A rule has no room."""

    cost: Cost
    """What was asked of it: of the rules without room, the one that has room last."""

    lacks: Literal["requests", "tokens"]
    retry_after: float | None
    """Seconds until the rule has room; None where it never has: the call alone is more than the rule allows."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Where the log of a rule holds what was charged."""

    cost: Cost
    number: int


@dataclass(frozen=True, slots=True)
class Charge:
    """What was charged for a call."""

    tenant: str
    entries: tuple[Entry, ...]
    over: tuple[Rule, ...]
    """Shadow rules that had no room, and were not charged."""


@dataclass(frozen=True, slots=True)
class Correction:
    """By how much an entry differs from what was used; below 0 is given back."""

    rule: Rule
    number: int
    requests: int
    tokens: int


class UsageLog(Protocol):
    """What tenants have used, over all gateways. Its methods raise LimitsAwayError and LimitsBusyError."""

    async def charge(self, tenant: str, costs: Sequence[Cost]) -> Charge | Refusal:
        """Charges a call to all its rules, or to none.

        A shadow rule neither refuses nor, where it has no room, is charged: it counts as if it were in force alone.
        """
        ...

    async def settle(self, tenant: str, corrections: Sequence[Correction], batch: int) -> None:
        """Corrects entries; those that have left their window stay as they are.

        Done once, however often it is repeated: `batch` numbers what this log settles for a tenant, one after another.
        """
        ...
