"""Whether it is worth a look if one for whom nothing can be built is served all the same."""

import random
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

_IN_VAIN: Final = 128
"""Where so many looks on end served nobody, hardly anybody is looked for until one does."""

_SAMPLED: Final = 1 / 8
"""Part of them that is looked for then."""

_MOST_TENANTS: Final = 1_024


class Prospects:
    """How those fare who come while there is no room: some get what is stored, or what is under way for others.

    To look for that takes much of what a refusal takes, and who refuses many does little else. Where a
    tenant's questions repeat, everybody is looked for; where they do not, one in eight.
    """

    def __init__(self, *, draw: Callable[[], float] = random.random) -> None:
        """`draw` gives numbers from 0 up to 1."""
        self._draw = draw
        self._in_vain: OrderedDict[str, int] = OrderedDict()
        """Looks for a tenant since the last one that served somebody."""

    def worth_a_look(self, tenant: str) -> bool:
        """Whether to look for the tenant's next one."""
        return self._in_vain.get(tenant, 0) < _IN_VAIN or self._draw() < _SAMPLED

    def looked(self, tenant: str, *, served: bool) -> None:
        """Notes what came of a look."""
        in_vain = self._in_vain.pop(tenant, 0)
        if served:
            return
        self._in_vain[tenant] = in_vain + 1
        if len(self._in_vain) > _MOST_TENANTS:
            self._in_vain.popitem(last=False)
