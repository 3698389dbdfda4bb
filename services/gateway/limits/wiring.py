"""The limits, wired by the settings."""

from contextlib import AsyncExitStack

from services.chassis.interceptors import CallInterceptor
from services.gateway.callers.authentication import METHODS
from services.gateway.connections import guarded_redis
from services.gateway.limits.costs import ContextTokens
from services.gateway.limits.declarations import declared_limits
from services.gateway.limits.interceptor import Limiting
from services.gateway.limits.limiter import Limiter
from services.gateway.limits.redis_log import RedisUsageLog
from services.gateway.profiles.ports import Profiles
from services.gateway.settings import GatewaySettings


async def limiting(settings: GatewaySettings, profiles: Profiles, stack: AsyncExitStack) -> tuple[CallInterceptor, ...]:
    """What holds calls to the rules, where there are any; closed with the stack, the settling first."""
    rules = declared_limits(settings.limits, METHODS)
    redis = await guarded_redis(settings, stack, "redis-limits") if rules else None
    if redis is None:
        return ()
    limiter = await stack.enter_async_context(Limiter(rules, RedisUsageLog(*redis)))
    return (Limiting(limiter, ContextTokens(profiles)),)
