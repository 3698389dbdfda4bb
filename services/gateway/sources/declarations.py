"""Sources as the settings declare them: new ones, and other fields for those that are built in."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from math import fsum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from scic.type.v1 import source_pb2
from services.gateway.sources.source import BUILT_IN, GENERAL_KNOWLEDGE, Recency, Source, Sources

_MOST_SEARCHED = 16
"""Sources that one request may search."""

_MOST_KNOWN = 30
"""The evidence budget has 32 parts: one is for passages of the request, one for those of sources no longer declared."""


class SourceDeclarationError(ValueError):
    """Some declarations are wrong; the message names each mistake."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("; ".join(mistakes))


class _Recency(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    half_life_days: float = Field(gt=0, le=36_500)
    weight: float = Field(gt=0, le=1)


class _Declaration(BaseModel):
    """One source as the JSON has it: only what differs from the default, or from what is built in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["docs", "code", "history"] = "docs"
    default: bool = False
    required: bool = False
    recency: _Recency | None = None
    backup: str | None = None
    default_text: str = Field("", max_length=4096)
    retention_days: float | None = Field(None, gt=0, le=36_500)
    everywhere: bool = False
    deadline_share: float = Field(0.8, gt=0, le=1)
    trusted: bool = False
    priority: float = Field(GENERAL_KNOWLEDGE, gt=0, le=1)
    min_share: float = Field(0.0, ge=0, le=1)
    max_share: float = Field(0.0, ge=0, le=1)

    def changes(self) -> dict[str, Any]:
        """The fields that were given, as a Source has them."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        if "kind" in given:
            given["kind"] = source_pb2.SourceKind.Value(f"SOURCE_KIND_{self.kind.upper()}")
        if self.recency:
            given["recency"] = Recency(timedelta(days=self.recency.half_life_days), self.recency.weight)
        if "retention_days" in given:
            days = given.pop("retention_days")
            given["retention"] = timedelta(days=days) if days else None
        return given


_Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
_DECLARATIONS = TypeAdapter(dict[_Name, _Declaration])
_RESERVED = frozenset({"inline", "conversation"})
"""What replies call passages and turns that came with the request."""


def declared_sources(text: str) -> Sources:
    """The built-in sources and those of a JSON object `{name: fields}`.

    Raises SourceDeclarationError, which names every mistake that can be told at once.
    """
    try:
        declarations = _DECLARATIONS.validate_json(text)
    except ValidationError as error:
        raise SourceDeclarationError([_sentence(details) for details in error.errors(include_url=False)]) from None
    sources = dict(BUILT_IN)
    for name, declaration in declarations.items():
        base = BUILT_IN.get(name, Source(name, source_pb2.SOURCE_KIND_DOCS))
        sources[name] = replace(base, **declaration.changes())
    declared = Sources(sources.values())
    if mistakes := list(_mistakes(declared)):
        raise SourceDeclarationError(mistakes)
    return declared


def _mistakes(sources: Sources) -> Iterator[str]:
    """What is wrong with the sources as a whole."""
    for source in sources.values():
        if source.name in _RESERVED:
            yield f"{source.name}: the name is taken"
        if source.everywhere and source.retention:
            yield f"{source.name}.retention_days: a source that is searched everywhere holds no documents"
        if source.backup is not None and source.backup not in sources:
            yield f"{source.name}.backup is {source.backup[:64]!r}, which is no source of: {', '.join(sources)}"
        elif cycle := _cycle(source, sources):
            yield f"{source.name}.backup: leads back to itself: {' > '.join(cycle)}"
    yield from _mistakes_of_shares(sources)
    if len(sources) > _MOST_KNOWN:
        yield f"there are {len(sources)} sources: {_MOST_KNOWN} at most"
    searched = sum(source.default for source in sources.values())
    if not 1 <= searched <= _MOST_SEARCHED:
        yield f"{searched} sources say `default`: 1 to {_MOST_SEARCHED} can be searched where a request names none"


def _mistakes_of_shares(sources: Sources) -> Iterator[str]:
    for source in sources.values():
        if source.everywhere and (source.min_share or source.max_share):
            field = "min_share" if source.min_share else "max_share"
            yield f"{source.name}.{field}: what is found everywhere counts for the source it belongs to"
        if source.max_share and source.max_share < source.min_share:
            yield f"{source.name}.max_share is {source.max_share:g}, less than its min_share, {source.min_share:g}"
    if (together := fsum(source.min_share for source in sources.values())) > 1:
        yield f"min_share of all sources together is {together:g}, more than 1"


def _cycle(source: Source, sources: Sources) -> list[str]:
    """The way from a source over backups to itself, or nothing."""
    way = [source.name]
    following = source.backup
    while following is not None and following in sources and following not in way:
        way.append(following)
        following = sources[following].backup
    return [*way, source.name] if following == source.name else []


def _sentence(details: Any) -> str:
    where = ".".join(str(part) for part in details["loc"] if part != "[key]") or "the value"
    return f"{where}: {details['msg']}"
