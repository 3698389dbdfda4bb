"""What a request asks of the selector."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import scic
from scic.selector.v1 import selector_service_pb2 as selector
from services.gateway.callers.caller import caller_of
from services.gateway.callers.principal import Principal
from services.gateway.recipes.fingerprint import normalise
from services.gateway.recipes.recipe import Recipe
from services.gateway.sources.source import Source, Sources

_VERSION = scic.__version__.encode()


@dataclass(frozen=True, slots=True)
class Search:
    """One caller's question, to be put to some sources."""

    principal: Principal
    recipe: Recipe

    @property
    def sources(self) -> Sources:
        """All sources that are known."""
        return self.recipe.profile.sources

    @property
    def limits(self) -> dict[str, int]:
        """The sources asked for, and how many passages each may give, in the order of their names."""
        return {selection.name: selection.limit for selection in self.recipe.request.sources}

    def required(self, source: str) -> bool:
        """Whether the reply needs a source that was asked for."""
        return next(selection.required for selection in self.recipe.request.sources if selection.name == source)

    def request(self, limits: Mapping[str, int], *, seconds: float) -> selector.SelectRequest:
        """Asks these sources, each within its share of `seconds`."""
        request = self._request(limits)
        for query in request.sources:
            query.timeout.FromNanoseconds(int(seconds * self.sources[query.source].deadline_share * 1e9))
        return request

    def cache_key(self, source: str) -> str:
        """A digest over everything that decides what the source gives, but for the corpus and the time.

        What the caller may see is part of it: what one caller was given never stands in for another who may see less.
        """
        request = self._request({source: self.limits[source]})
        request.question = normalise(request.question)
        digest = hashlib.blake2b(request.SerializeToString(deterministic=True), digest_size=20, key=_VERSION)
        # What a guard would mask is not kept, so what is kept depends on it.
        digest.update(repr(self.recipe.profile.guard).encode())
        return digest.hexdigest()

    def _request(self, limits: Mapping[str, int]) -> selector.SelectRequest:
        return selector.SelectRequest(
            tenant=self.principal.tenant,
            question=self.recipe.request.question,
            sources=[_query(self.sources[name], limit) for name, limit in limits.items()],
            filter=self.recipe.request.filter,
            caller=caller_of(self.principal),
        )


def _query(source: Source, limit: int) -> selector.SourceQuery:
    query = selector.SourceQuery(source=source.name, kind=source.kind, limit=limit, everywhere=source.everywhere)
    if source.recency is not None:
        query.recency.half_life.FromTimedelta(source.recency.half_life)
        query.recency.weight = source.recency.weight
    return query
