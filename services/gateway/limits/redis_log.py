"""The logs of all rules in Redis: one round trip a request, whatever the number of its rules."""

import itertools
from collections.abc import Awaitable, Sequence
from typing import Any
from uuid import uuid4

from redis.asyncio import Redis, RedisCluster

from services.chassis.breaker import Breaker
from services.gateway.cache.ports import CacheUnavailableError
from services.gateway.limits.ports import Charge, Correction, Cost, Entry, LimitsAwayError, LimitsBusyError, Refusal
from services.gateway.limits.redis_scripts import CHARGE, SETTLE
from services.gateway.limits.rule import Rule
from services.gateway.redis.batches import script_call
from services.gateway.redis.calls import ON_THE_PATH, GatewayBusyError, Patience, call

_TOLD_MILLISECONDS = 2_000
"""How long what a call was told is kept, for its repetition; that comes at once or never."""


def log_key(tenant: str, rule: Rule) -> str:
    """The log of a rule and a tenant.

    None of the keys `scic:{tenant}:`: emptying the cache, or erasing the tenant, must not give what was used again.
    The window is part of it: while gateways with another setting are replaced, the two do not share a log.
    """
    return f"scic-limits:{{{tenant}}}:{rule.name}:{rule.window}"


class RedisUsageLog:
    """See UsageLog. Its client may repeat a command whose connection was lost: that charges once."""

    def __init__(self, redis: Redis | RedisCluster, breaker: Breaker, *, patience: Patience = ON_THE_PATH) -> None:
        self._breaker = breaker
        self._patience = patience
        self._charge = script_call(redis, breaker, CHARGE, patience)
        self._settle = redis.register_script(SETTLE)
        self._name = uuid4().hex
        self._calls = itertools.count()

    async def charge(self, tenant: str, costs: Sequence[Cost]) -> Charge | Refusal:
        """See UsageLog."""
        told = f"scic-limits:{{{tenant}}}:told:{self._name}:{next(self._calls)}"
        keys = [told, *(log_key(tenant, cost.rule) for cost in costs)]
        args = [_TOLD_MILLISECONDS]
        for cost in costs:
            rule = cost.rule
            args += [rule.window, rule.granule, _bound(rule.requests), _bound(rule.tokens), int(rule.shadow)]
            args += [cost.requests, cost.tokens]
        binding, *rest = await _translated(self._charge(keys, args))
        if binding:
            wait, lacks = rest
            retry_after = None if wait < 0 else wait / 1e6
            return Refusal(costs[binding - 1], "requests" if lacks == 1 else "tokens", retry_after)
        numbered = list(zip(costs, rest, strict=True))
        return Charge(
            tenant,
            tuple(Entry(cost, number) for cost, number in numbered if number > 0),
            tuple(cost.rule for cost, number in numbered if number < 0),
        )

    async def settle(self, tenant: str, corrections: Sequence[Correction], batch: int) -> None:
        """See UsageLog."""
        logs = {log_key(tenant, one.rule): None for one in corrections}
        places = {key: place for place, key in enumerate(logs, 2)}
        keep = max(one.rule.window for one in corrections) // 1000 + 1000
        args = [batch, keep]
        for one in corrections:
            args += [places[log_key(tenant, one.rule)], one.number, one.requests, one.tokens]
        keys = [f"scic-limits:{{{tenant}}}:settled:{self._name}", *logs]
        await _translated(call(self._breaker, lambda: self._settle(keys=keys, args=args), self._patience))


async def _translated(answer: Awaitable[Any]) -> Any:
    """What Redis answers, in the words of limits where it does not."""
    try:
        return await answer
    except GatewayBusyError as error:
        raise LimitsBusyError(str(error)) from error
    except CacheUnavailableError as error:
        raise LimitsAwayError(str(error)) from error


def _bound(value: int | None) -> int:
    return -1 if value is None else value
