"""Who may see a record."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from services.gateway.callers.principal import Principal


@dataclass(frozen=True, slots=True)
class Viewer:
    """What the key that sent a request was allowed to see. Who may see no less, may see the record."""

    key_id: str
    groups: tuple[str, ...] = ()
    sees_all: bool = False

    @classmethod
    @lru_cache(maxsize=1_024)
    def of(cls, principal: Principal) -> Self:
        """The viewer that a caller is."""
        return cls(principal.key_id, tuple(sorted(principal.groups)), principal.sees_all)

    def admits(self, principal: Principal) -> bool:
        """Whether a caller of the same tenant may see the record."""
        if principal.sees_all or principal.key_id == self.key_id:
            return True
        return not self.sees_all and principal.groups.issuperset(self.groups)
