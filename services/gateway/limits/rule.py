"""Rules: how many requests and tokens a tenant may use of a method in a window of time."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

ANY = "*"
"""Every tenant, or every method."""

SUBMIT: Final = "SubmitJob"

SUBMITTED_WORK: Final[Mapping[str, str]] = MappingProxyType(
    {"contexts": "BuildContext", "documents": "IngestDocuments"}
)
"""Kinds of work that SubmitJob takes, and the method that does the same at once: its rules count for the job, too."""

_EXACT_REQUESTS = 1024
"""Up to so many requests a window each has an entry of its own."""

_GRANULES = 1024
"""Parts of a window, beyond that: entries of one part are one."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; a tenant is counted for itself, whichever rule counts it."""

    name: str
    seconds: float
    """The window's length."""

    tenant: str = ANY
    method: str = ANY
    requests: int | None = None
    """Requests within any window; None: any number."""

    tokens: int | None = None
    """Tokens within any window; None: any number."""

    shadow: bool = False
    """Whether it only counts what it would refuse."""

    closed: bool = False
    """Whether it refuses everything while it cannot be checked."""

    @property
    def window(self) -> int:
        """The window in microseconds."""
        return round(self.seconds * 1e6)

    @property
    def granule(self) -> int:
        """Microseconds that times are rounded up to: what bounds the log of a rule to some thousand entries.

        Room comes at most so much later than to the microsecond, and never earlier.
        """
        exact = self.requests is not None and self.requests <= _EXACT_REQUESTS
        return 1 if exact else -(-self.window // _GRANULES)


class Rules:
    """All rules, and which of them apply to a call."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._rules = tuple(rules)
        self._known: dict[tuple[str, ...], tuple[Rule, ...]] = {}

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._rules)

    def __len__(self) -> int:
        return len(self._rules)

    def of(self, tenant: str, *methods: str) -> tuple[Rule, ...]:
        """Those that apply together to a call of any of the methods (`BuildContext`) by a tenant, which a key names.

        Of rules with one name, the tenant's own takes the place of the one for all.
        """
        found = self._known.get((tenant, *methods))
        if found is None:
            by_name: dict[str, Rule] = {}
            for rule in self._rules:
                applies = rule.tenant in {ANY, tenant} and rule.method in {ANY, *methods}
                if applies and (rule.tenant != ANY or rule.name not in by_name):
                    by_name[rule.name] = rule
            found = self._known[tenant, *methods] = tuple(by_name.values())
        return found
