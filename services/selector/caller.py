"""Who asks, and what of its tenant's documents it may see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


@dataclass(frozen=True, slots=True)
class Caller:
    """Sees documents without groups and those that share a group with it; the others do not exist for it."""

    groups: frozenset[str] = frozenset()
    sees_all: bool = False
    """Whether it sees every document, whatever its groups."""

    def may_see(self, acl_groups: Collection[str]) -> bool:
        """Tell whether a document with these groups exists for the caller."""
        return self.sees_all or not acl_groups or not self.groups.isdisjoint(acl_groups)


EVERYBODY = Caller(sees_all=True)
"""Whoever may see all there is."""
