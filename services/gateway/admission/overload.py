"""What those hear who are refused to spare the others."""

from collections.abc import Callable

from scic import errors
from services.chassis import metrics
from services.gateway.admission.priority import Priority

_RETRY_SECONDS = (0.5, 1.5)
"""Apart from one another, so that those who were refused together do not come again together."""


def overloaded(resource: str, priority: Priority, uniform: Callable[[float, float], float]) -> errors.ScicError:
    """The error OVERLOADED, counted. `resource` is `requests` or `builds`."""
    metrics.SHED.labels(resource, priority.label).inc()
    return errors.OVERLOADED.error(
        f"the gateway has as many {resource} as it can do in time",
        metadata={"resource": resource},
        retry_after=uniform(*_RETRY_SECONDS),
    )
