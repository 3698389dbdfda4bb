"""What the limits need of whoever counts over all gateways."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from services.gateway.limits.rule import Rule


class LimitsAwayError(Exception):
    """What was used cannot be known now, or not in time."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A rule has no room."""

    rule: Rule
    """Of those without room, the one that has room last."""

    lacks: Literal["requests", "tokens"]
    retry_after: float | None
    """Seconds until the rule has room; None where it never has: the request alone is more than the rule allows."""


@dataclass(frozen=True, slots=True)
class Charge:
    """What was charged for a request."""

    tenant: str
    tokens: int
    """The estimate that was charged."""

    entries: tuple[tuple[Rule, int], ...]
    """Rules that count its tokens, and the number of the entry in the log of each."""

    over: tuple[Rule, ...]
    """Shadow rules that had no room, and were not charged."""


class UsageLog(Protocol):
    """What tenants have used, over all gateways."""

    async def charge(self, tenant: str, rules: Sequence[Rule], tokens: int) -> Charge | Refusal:
        """Charges a request and its estimated tokens to all rules, or to none. Raises LimitsAwayError.

        A shadow rule neither refuses nor, where it has no room, is charged: it counts as if it were in force alone.
        """
        ...

    async def settle(self, charge: Charge, tokens: int) -> None:
        """Puts the tokens that were used in the place of the estimate. Raises LimitsAwayError."""
        ...
