"""Where every call meets its limits."""

import random
from collections.abc import Callable
from typing import Any, Final

from services.chassis.interceptors import Call, CallInterceptor, Context, Method
from services.gateway.admission.overload import overloaded
from services.gateway.callers.authentication import current_principal
from services.gateway.callers.principal import Principal
from services.gateway.limits.costs import Estimate, did_nothing, may_go_on, used_tokens, work_of
from services.gateway.limits.limiter import Limiter
from services.gateway.limits.ports import Charge, Cost, LimitsBusyError
from services.gateway.limits.rule import ANY

_RESOURCE: Final = "limits"


class Limiting(CallInterceptor):
    """Charges each call to its tenant, a stream once, as it begins; stands behind Authentication.

    A job is charged for its work as it is submitted, too. A call that no rule applies to costs nothing. One that fails,
    and a job that was submitted before, stays one request, and gets all else back.
    """

    def __init__(
        self, limiter: Limiter, estimate: Estimate, *, uniform: Callable[[float, float], float] = random.uniform
    ) -> None:
        super().__init__()
        self._limiter = limiter
        self._estimate = estimate
        self._uniform = uniform

    def wrap(self, method: Method, call: Call) -> Call:
        """Charge, then call, then settle."""
        if method.is_infrastructure:
            return call
        name = method.path.rpartition("/")[2]

        async def limited(request: Any, context: Context) -> Any:
            charge = await self._charge(current_principal(), name, request)
            try:
                response = await call(request, context)
            except BaseException as error:
                if charge and not may_go_on(request, error):
                    self._limiter.settle(charge, requests=1, tokens=0)
                raise
            if charge:
                if did_nothing(response):
                    self._limiter.settle(charge, requests=1, tokens=0)
                else:
                    self._limiter.settle(charge, tokens=used_tokens(response))
            return response

        return limited

    async def _charge(self, principal: Principal, method: str, request: Any) -> Charge | None:
        work = work_of(method, request)
        rules = self._limiter.rules(principal.tenant, *dict.fromkeys((method, work.method)))
        if not rules:
            return None
        counts_tokens = any(rule.tokens is not None for rule in rules)
        tokens = await self._estimate(principal, request) if counts_tokens else 0
        costs = [
            Cost(
                rule,
                work.requests if rule.method in {ANY, work.method} else 1,
                0 if rule.tokens is None else tokens,
            )
            for rule in rules
        ]
        try:
            return await self._limiter.charge(principal.tenant, costs)
        except LimitsBusyError:
            raise overloaded(_RESOURCE, principal.priority, self._uniform) from None
