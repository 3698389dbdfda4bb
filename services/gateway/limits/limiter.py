"""Decides whether a call is within its tenant's limits."""

from collections.abc import Sequence
from typing import Self

from scic import errors
from services.chassis import metrics
from services.gateway.limits.ports import (
    Charge,
    Correction,
    Cost,
    LimitsAwayError,
    LimitsBusyError,
    Refusal,
    UsageLog,
)
from services.gateway.limits.rule import Rule, Rules
from services.gateway.limits.settlements import Settlements

_AWAY_RETRY_SECONDS = 1.0

_VERBS = {"requests": "counts as", "tokens": "may take"}


class Limiter:
    """Applies rules to calls, by a log that all gateways share; opened, it settles in the background."""

    def __init__(self, rules: Rules, log: UsageLog) -> None:
        self._rules = rules
        self._log = log
        self._settlements = Settlements(log)

    async def __aenter__(self) -> Self:
        await self._settlements.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._settlements.__aexit__()

    def rules(self, tenant: str, *methods: str) -> tuple[Rule, ...]:
        """Those that apply to a call of any of the methods."""
        return self._rules.of(tenant, *methods)

    async def charge(self, tenant: str, costs: Sequence[Cost]) -> Charge | None:
        """Charges a call; None where nobody could be asked, and the rules let it through.

        Raises ScicError RATE_LIMITED, or LIMITS_UNAVAILABLE where nobody could be asked and a rule is closed then; and
        LimitsBusyError, but not for shadows alone.
        """
        for cost in costs:
            if (lacks := cost.never_fits) and not cost.rule.shadow:
                raise _refused(Refusal(cost, lacks, None))
        try:
            outcome = await self._log.charge(tenant, costs)
        except LimitsAwayError:
            _let_through([cost.rule for cost in costs])
            return None
        except LimitsBusyError:
            if all(cost.rule.shadow for cost in costs):
                return None
            raise
        if isinstance(outcome, Refusal):
            raise _refused(outcome)
        for rule in outcome.over:
            metrics.LIMITED.labels(rule.name, "shadow").inc()
        return outcome

    def settle(self, charge: Charge, *, requests: int | None = None, tokens: int | None = None) -> None:
        """Has what was used put in the place of the estimate, soon; None: as estimated."""
        for entry in charge.entries:
            cost = entry.cost
            more_requests = 0 if requests is None else requests - cost.requests
            more_tokens = 0 if tokens is None or cost.rule.tokens is None else tokens - cost.tokens
            if more_requests or more_tokens:
                self._settlements.add(charge.tenant, Correction(cost.rule, entry.number, more_requests, more_tokens))


def _let_through(rules: Sequence[Rule]) -> None:
    """What happens while the limits cannot be checked."""
    enforced = [rule for rule in rules if not rule.shadow]
    for rule in enforced:
        if rule.closed:
            raise errors.LIMITS_UNAVAILABLE.error(
                f"what was used of the limit {rule.name} cannot be known now, and it lets nothing through then",
                metadata={"rule": rule.name},
                retry_after=_AWAY_RETRY_SECONDS,
            )
    for rule in enforced:
        metrics.LIMITED.labels(rule.name, "open").inc()


def _refused(refusal: Refusal) -> errors.ScicError:
    cost, rule, lacks = refusal.cost, refusal.cost.rule, refusal.lacks
    metrics.LIMITED.labels(rule.name, "refused").inc()
    limit, asked = (rule.requests, cost.requests) if lacks == "requests" else (rule.tokens, cost.tokens)
    allows = f"rule {rule.name} allows {limit:,} {lacks} in {rule.seconds:g} s"
    if asked == 1:
        message = f"{allows}, and they are used up"
    else:
        # A job counts as many requests as it has contexts, which nobody guesses.
        room = "so it can never pass" if refusal.retry_after is None else "and has no room for it now"
        message = f"the call {_VERBS[lacks]} {asked:,} {lacks}; {allows}, {room}"
    return errors.RATE_LIMITED.error(
        message,
        metadata={"rule": rule.name, "limit": str(limit), "unit": lacks, "window_seconds": f"{rule.seconds:g}"},
        retry_after=refusal.retry_after,
    )
