"""Where every call meets its limits."""

from collections.abc import Callable, Coroutine
from typing import Any

from services.chassis.interceptors import Call, CallInterceptor, Context, Method
from services.gateway.authentication import current_principal
from services.gateway.limits.limiter import Limiter
from services.gateway.limits.tokens import Estimate, used_tokens


class Limiting(CallInterceptor):
    """Charges each call to its tenant, a stream once, as it begins; stands behind Authentication.

    A call that no rule applies to costs nothing. One that fails gets its tokens back, but stays a request.
    """

    def __init__(
        self, limiter: Limiter, estimate: Estimate, spawn: Callable[[Coroutine[Any, Any, None]], None]
    ) -> None:
        super().__init__()
        self._limiter = limiter
        self._estimate = estimate
        self._spawn = spawn

    def wrap(self, method: Method, call: Call) -> Call:
        """Charge, then call, then settle."""
        if method.is_infrastructure:
            return call
        name = method.path.rpartition("/")[2]

        async def limited(request: Any, context: Context) -> Any:
            principal = current_principal()
            rules = self._limiter.rules(principal.tenant, name)
            if not rules:
                return await call(request, context)
            counts_tokens = any(rule.tokens is not None for rule in rules)
            tokens = max(self._estimate(name, principal, request), 0) if counts_tokens else 0
            charge = await self._limiter.charge(principal.tenant, rules, tokens)
            used = 0
            try:
                response = await call(request, context)
                used = used_tokens(response, tokens)
                return response
            finally:
                if charge is not None and charge.entries:
                    # The caller does not wait for the write.
                    self._spawn(self._limiter.settle(charge, used))

        return limited
