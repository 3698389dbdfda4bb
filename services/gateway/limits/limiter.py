"""Decides whether a request is within its tenant's limits."""

from collections.abc import Sequence

from scic import errors
from services.chassis import metrics
from services.chassis.logs import get_logger
from services.gateway.limits.ports import Charge, LimitsAwayError, Refusal, UsageLog
from services.gateway.limits.rule import Rule, Rules

_log = get_logger(__name__)

_AWAY_RETRY_SECONDS = 1.0


class Limiter:
    """Applies rules to requests, by a log that all gateways share."""

    def __init__(self, rules: Rules, log: UsageLog) -> None:
        self._rules = rules
        self._log = log

    def rules(self, tenant: str, method: str) -> tuple[Rule, ...]:
        """Those that apply to a call."""
        return self._rules.of(tenant, method)

    async def charge(self, tenant: str, rules: Sequence[Rule], tokens: int) -> Charge | None:
        """Charges a request with its estimated tokens; None where nobody could be asked, and the rules let it through.

        Raises ScicError RATE_LIMITED, or LIMITS_UNAVAILABLE where nobody could be asked and a rule is closed then.
        """
        for rule in rules:
            if rule.tokens is not None and tokens > rule.tokens and not rule.shadow:
                raise _refused(Refusal(rule, "tokens", None))
        try:
            outcome = await self._log.charge(tenant, rules, tokens)
        except LimitsAwayError:
            _let_through(rules)
            return None
        if isinstance(outcome, Refusal):
            raise _refused(outcome)
        for rule in outcome.over:
            metrics.LIMITED.labels(rule.name, "shadow").inc()
        return outcome

    async def settle(self, charge: Charge, tokens: int) -> None:
        """Charges the tokens that were used in place of the estimate; where that fails the estimate stays."""
        if not charge.entries or tokens == charge.tokens:
            return
        try:
            await self._log.settle(charge, tokens)
        except LimitsAwayError as error:
            _log.info("limits_not_settled", error=str(error))


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
    rule, lacks = refusal.rule, refusal.lacks
    metrics.LIMITED.labels(rule.name, "refused").inc()
    limit = rule.requests if lacks == "requests" else rule.tokens
    if refusal.retry_after is None:
        message = f"the request may take more than the {limit} tokens of {rule.seconds:g} s ({rule.name}) at once"
    else:
        message = f"the tenant has used its {limit} {lacks} of {rule.seconds:g} s ({rule.name})"
    return errors.RATE_LIMITED.error(
        message,
        metadata={"rule": rule.name, "limit": str(limit), "unit": lacks, "window_seconds": f"{rule.seconds:g}"},
        retry_after=refusal.retry_after,
    )
