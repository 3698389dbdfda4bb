"""The logs of all rules in Redis: one round trip a request, whatever the number of its rules."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from redis.asyncio import Redis, RedisCluster

from services.chassis.breaker import Breaker
from services.gateway.cache.ports import CacheUnavailableError
from services.gateway.limits.ports import Charge, LimitsAwayError, Refusal
from services.gateway.limits.redis_scripts import CHARGE, SETTLE
from services.gateway.limits.rule import Rule
from services.gateway.redis_calls import ON_THE_PATH, Patience, call

_Result = TypeVar("_Result")


def log_key(tenant: str, rule: Rule) -> str:
    """The log of a rule and a tenant.

    None of the keys `scic:{tenant}:`: emptying the cache, or erasing the tenant, must not give what was used again.
    The window is part of it: while gateways with another setting are replaced, the two do not share a log.
    """
    return f"scic-limits:{{{tenant}}}:{rule.name}:{rule.window}"


class RedisUsageLog:
    """See UsageLog. Its client is its own, and repeats no command that timed out: it would be charged twice."""

    def __init__(self, redis: Redis | RedisCluster, breaker: Breaker, *, patience: Patience = ON_THE_PATH) -> None:
        self._breaker = breaker
        self._patience = patience
        self._charge = redis.register_script(CHARGE)
        self._settle = redis.register_script(SETTLE)

    async def charge(self, tenant: str, rules: Sequence[Rule], tokens: int) -> Charge | Refusal:
        """See UsageLog."""
        keys = [log_key(tenant, rule) for rule in rules]
        args = [tokens]
        for rule in rules:
            args += [rule.window, rule.granule, _bound(rule.requests), _bound(rule.tokens), int(rule.shadow)]
        binding, *rest = await self._within(lambda: self._charge(keys=keys, args=args))
        if binding:
            wait, lacks = rest
            retry_after = None if wait < 0 else wait / 1e6
            return Refusal(rules[binding - 1], "requests" if lacks == 1 else "tokens", retry_after)
        numbered = list(zip(rules, rest, strict=True))
        return Charge(
            tenant,
            tokens,
            tuple((rule, number) for rule, number in numbered if tokens and number > 0 and rule.tokens is not None),
            tuple(rule for rule, number in numbered if number < 0),
        )

    async def settle(self, charge: Charge, tokens: int) -> None:
        """See UsageLog."""
        keys = [log_key(charge.tenant, rule) for rule, _ in charge.entries]
        args = [value for _, number in charge.entries for value in (number, tokens - charge.tokens)]
        await self._within(lambda: self._settle(keys=keys, args=args))

    async def _within(self, command: Callable[[], Awaitable[_Result]]) -> _Result:
        try:
            return await call(self._breaker, command, self._patience)
        except CacheUnavailableError as error:
            raise LimitsAwayError(str(error)) from error


def _bound(value: int | None) -> int:
    return -1 if value is None else value
