"""The caller as the selector is told of it."""

from scic.selector.v1 import selector_service_pb2 as selector
from services.gateway.callers.principal import Principal


def caller_of(principal: Principal) -> selector.Caller:
    """What the principal may see, its groups in order: equal principals give equal bytes."""
    return selector.Caller(groups=sorted(principal.groups), sees_all=principal.sees_all)
