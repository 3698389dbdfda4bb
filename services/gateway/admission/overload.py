"""What those hear who are refused to spare the others."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from scic import errors
from services.chassis import metrics
from services.gateway.admission.priority import Priority

Resource: TypeAlias = Literal["requests", "builds", "limits", "streams"]

_MESSAGES: Final[Mapping[Resource, str]] = MappingProxyType(
    {
        "requests": "the gateway has as many requests as it can do in time",
        "builds": "the gateway has as many builds as it can do in time",
        "limits": "the gateway has more requests to count against their limits than it can in time",
        "streams": "the API key has as many streams open as a gateway takes of one key",
    }
)

_RETRY_SECONDS = (0.5, 1.5)
"""Apart from one another, so that those who were refused together do not come again together."""


def overloaded(resource: Resource, priority: Priority, uniform: Callable[[float, float], float]) -> errors.ScicError:
    """The error OVERLOADED, counted."""
    metrics.SHED.labels(resource, priority.label).inc()
    return errors.OVERLOADED.error(
        _MESSAGES[resource], metadata={"resource": resource}, retry_after=uniform(*_RETRY_SECONDS)
    )
