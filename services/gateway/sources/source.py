"""The sources a corpus has, and what is declared of them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from scic import errors
from scic.type.v1 import source_pb2

GENERAL_KNOWLEDGE = 0.4
"""Priority of a source that does not say otherwise."""


@dataclass(frozen=True, slots=True)
class Recency:
    """A preference for what is new."""

    half_life: timedelta
    """Age at which half of `weight` is gone."""

    weight: float
    """Part of the score that age can take away, above 0 to 1."""


@dataclass(frozen=True, slots=True)
class Source:
    """What is declared of a source."""

    name: str

    kind: source_pb2.SourceKind.ValueType
    """How its text is ranked and compressed."""

    default: bool = False
    """Whether it is searched where a request names no source."""

    required: bool = False
    """Whether a reply needs it: where it cannot be searched, its backup is."""

    recency: Recency | None = None

    backup: str | None = None
    """Name of the source that is searched in its place."""

    default_text: str = ""
    """What stands in for it where it is optional and cannot be searched; empty: nothing."""

    retention: timedelta | None = None
    """How long its documents live where they do not say; None: for good."""

    everywhere: bool = False
    """Whether it is the passages of all other sources, searched by their vectors alone: it holds no documents."""

    deadline_share: float = 0.8
    """Part of the selector's time that its search may take; the rest is for what the other sources gave."""

    trusted: bool = False
    """Whether its documents may be believed where the key that brings them is trusted, too."""

    priority: float = GENERAL_KNOWLEDGE
    """How much a passage of it counts against one of another source, above 0 to 1."""

    min_share: float = 0.0
    """Part of the evidence budget that is its own as far as it can use it, 0 to 1."""

    max_share: float = 0.0
    """Part of the evidence budget that it takes at most; 0: no bound."""


class Sources(Mapping[str, Source]):
    """The sources that are known, by name, in the order of their names."""

    def __init__(self, sources: Iterable[Source]) -> None:
        self._sources = {source.name: source for source in sorted(sources, key=lambda source: source.name)}
        self._repr = f"Sources({list(self._sources.values())})"

    def __getitem__(self, name: str) -> Source:
        return self._sources[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def __len__(self) -> int:
        return len(self._sources)

    def __repr__(self) -> str:
        return self._repr

    @property
    def holding(self) -> "Sources":
        """Those that documents can belong to."""
        return Sources(source for source in self.values() if not source.everywhere)

    def find(self, name: str, *, field: str) -> Source:
        """The source of a name that stands in `field` of a request. Raises ScicError UNKNOWN_SOURCE."""
        source = self.get(name)
        if source is None:
            valid = ", ".join(self)
            raise errors.UNKNOWN_SOURCE.error(
                f"{field} is {name[:64]!r}, which is not known; valid: {valid}",
                metadata={"valid": valid},
                field_violations=[(field, f"must be one of: {valid}")],
            )
        return source


BUILT_IN = Sources(
    (
        Source("docs", source_pb2.SOURCE_KIND_DOCS, default=True, backup="vectors", trusted=True),
        Source("code", source_pb2.SOURCE_KIND_CODE, default=True, backup="vectors", trusted=True),
        Source(
            "history",
            source_pb2.SOURCE_KIND_HISTORY,
            default=True,
            required=True,
            recency=Recency(timedelta(days=30), 0.15),
            backup="vectors",
            priority=0.6,
        ),
        Source("vectors", source_pb2.SOURCE_KIND_DOCS, everywhere=True),
    )
)
"""What every gateway knows, unless its settings say otherwise."""
