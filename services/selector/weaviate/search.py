"""Search: both rankings of all sources at once, then the texts of what was chosen together with the state.

A search knows the state of the corpus from the last one. If that is still the state when it is done, nothing was
committed meanwhile, and what it found is one state of the corpus. If not, it searches again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Final
from uuid import UUID

from weaviate.proto.v1 import search_get_pb2

from scic import errors
from services.chassis.breaker import Breaker, BreakerOpenError
from services.chassis.deadline import FAIR_SECONDS
from services.chassis.logs import get_logger
from services.selector.errors import (
    EmbeddingModelMismatchError,
    StoreError,
    StoreUnavailableError,
    UnknownFilterKeyError,
)
from services.selector.moments import microseconds
from services.selector.query import ScoredPassage, Selection, SourceOutcome
from services.selector.weaviate.candidates import Found, no_candidates, read_candidates
from services.selector.weaviate.connection import NotThereError
from services.selector.weaviate.filters import carries, every, meets, more_than, none_of, of_source, token, visible
from services.selector.weaviate.objects import VECTOR, read_passage
from services.selector.weaviate.requests import by_id, by_vector, by_words, search_request
from services.selector.weaviate.schema import model_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from services.selector.passage import Passage
    from services.selector.ports import Rank
    from services.selector.query import Pick, Query, SourceQuery
    from services.selector.weaviate.connection import Connection
    from services.selector.weaviate.filters import Filters
    from services.selector.weaviate.records import Records
    from services.selector.weaviate.schema import Schema
    from services.selector.weaviate.state import State, States
    from services.selector.weaviate.turns import Turns

_log = get_logger(__name__)

_TRIES: Final = 5
_DEPTH: Final = 50
"""Candidates of each ranking, at most: Weaviate reads the object of each, which costs the most of a search. nDCG@10 of
Cranfield with 10 passages asked for: 43.1 with 100, 43.0 with 50, 42.6 with 40."""
_TRIAL_SECONDS: Final = 0.5
"""How long a search waits for the trial of its breaker, at most."""
_MAX_BREAKERS: Final = 64
"""Sources with a breaker of their own; names come from callers, and the others share one."""
_SCORE: Final = search_get_pb2.MetadataRequest(uuid=True, score=True, vectors=[VECTOR])
_DISTANCE: Final = search_get_pb2.MetadataRequest(uuid=True, distance=True)


@dataclass(frozen=True, slots=True)
class _Failure:
    reason: str
    error: Exception


class Searcher:
    """Answers questions."""

    def __init__(self, connection: Connection, schema: Schema, states: States, records: Records, turns: Turns) -> None:
        self._connection = connection
        self._schema = schema
        self._states = states
        self._records = records
        self._turns = turns
        self._breakers: dict[str, Breaker] = {}

    async def search(self, tenant: str, query: Query, rank: Rank) -> Selection:
        """See `Store.search`."""
        state = await self._states.known(tenant)
        for _ in range(_TRIES):
            selection, now = await self._attempt(tenant, query, rank, state)
            if selection is not None:
                return selection
            state = now
        # While it is our turn nothing is committed.
        async with self._turns.turn(tenant):
            selection, _ = await self._attempt(tenant, query, rank, await self._states.read(tenant), last=True)
        if selection is None:
            raise StoreUnavailableError(f"the corpus of tenant {tenant!r} changes faster than it can be searched")
        return selection

    async def _attempt(
        self, tenant: str, query: Query, rank: Rank, state: State, *, last: bool = False
    ) -> tuple[Selection | None, State]:
        """What is found in this state, or None where it is no longer the state; and the state as it is now.

        The `last` one is in turn: a passage without a text is then no write under way, but damage, and is left out.
        """
        if state.in_use != query.model:
            now = await self._states.read(tenant)
            if now.in_use is None:
                outcomes = tuple(SourceOutcome(source.source, 0.0) for source in query.sources)
                return Selection((), now.version, outcomes), now
            if now.in_use != query.model:
                raise EmbeddingModelMismatchError(tenant, now.in_use, query.model)
            return None, now
        hidden = state.hides(model_key(query.model))
        searched = await asyncio.gather(
            *(self._source(tenant, query, source, state, hidden) for source in query.sources)
        )
        founds = [found for found, _, _ in searched]
        failures = [failure for _, _, failure in searched if failure is not None]
        if failures and len(failures) == len(query.sources):
            raise StoreUnavailableError(f"no source of tenant {tenant!r} answers: {failures[0].error}") from failures[
                0
            ].error
        picks = rank([found.candidates for found in founds], query.now)
        names = {_name(founds, pick) for pick in picks}
        texts, now = await asyncio.gather(self._texts(tenant, names), self._states.read(tenant))
        # A generation that was announced after our state was read may be among the candidates.
        announced = now.hides(model_key(query.model)) - hidden
        if last and len(texts) != len(names):
            _log.error("passages_without_text", tenant=tenant, count=len(names) - len(texts))
        elif (
            now.epoch != state.epoch
            or len(texts) != len(names)
            or any(int(one, 16) in found.generations for one in announced for found in founds)
        ):
            return None, now
        if query.conditions and not failures and not any(found.names for found in founds):
            await self._check_keys(tenant, query, now)
        outcomes = tuple(
            SourceOutcome(source.source, seconds, failure.reason if failure else "")
            for source, (_, seconds, failure) in zip(query.sources, searched, strict=True)
        )
        passages = tuple(_scored(pick, founds, texts) for pick in picks if _has_text(pick, founds, texts))
        return Selection(passages, now.version, outcomes), now

    async def _source(
        self, tenant: str, query: Query, source: SourceQuery, state: State, hidden: set[str]
    ) -> tuple[Found, float, _Failure | None]:
        """One source's candidates, how long they took, and why there are none."""
        started = perf_counter()
        breaker = self._breaker(source.source)
        try:
            await breaker.trial_over(_TRIAL_SECONDS)
            with breaker.calling():
                try:
                    found = await asyncio.wait_for(
                        self._candidates(tenant, query, source, state, hidden), source.timeout
                    )
                except TimeoutError as error:
                    if source.timeout is None or source.timeout >= FAIR_SECONDS:
                        raise
                    # A caller in a hurry says nothing about the source: its breaker must not hear of it.
                    hurried = _Failure(errors.DEADLINE_EXCEEDED.name, error)
                    return no_candidates(source), perf_counter() - started, hurried
        except TimeoutError as error:
            failure = _Failure(errors.DEADLINE_EXCEEDED.name, error)
        except (StoreError, BreakerOpenError) as error:
            failure = _Failure(errors.STAGE_UNAVAILABLE.name, error)
        else:
            return found, perf_counter() - started, None
        return no_candidates(source), perf_counter() - started, failure

    async def _candidates(
        self, tenant: str, query: Query, source: SourceQuery, state: State, hidden: set[str]
    ) -> Found:
        if not source.everywhere and token("source", source.source) not in state.sources:
            return no_candidates(source)
        filters = every(
            # What filters nothing costs time.
            None if source.everywhere or len(state.sources) == 1 else of_source(source.source),
            visible(query.caller) if state.restricted else None,
            more_than("expires", microseconds(query.now)) if state.expiring else None,
            *(meets(condition) for condition in query.conditions),
        )
        found, crowded = await self._ranked(tenant, query, source, filters, hidden)
        if crowded:
            found, _ = await self._ranked(tenant, query, source, every(filters, none_of("generation", hidden)), hidden)
        return found

    async def _ranked(
        self, tenant: str, query: Query, source: SourceQuery, filters: Filters | None, hidden: set[str]
    ) -> tuple[Found, bool]:
        """The candidates, and whether hidden passages took the places of others."""
        depth = max(min(query.depth, _DEPTH), source.limit)
        by_meaning = self._found(tenant, query, depth, filters, metadata=_DISTANCE, near_vector=by_vector(query.vector))
        words: Sequence[search_get_pb2.SearchResult] = ()
        if source.everywhere or not query.terms:
            meaning = await by_meaning
        else:
            by_word = self._found(tenant, query, depth, filters, metadata=_SCORE, bm25_search=by_words(query.terms))
            words, meaning = await asyncio.gather(by_word, by_meaning)
        all_words = len(words) < depth and not source.everywhere
        found, dropped = read_candidates(source, query.vector, words, meaning, all_words=all_words, hidden=hidden)
        return found, dropped and max(len(words), len(meaning)) >= depth

    async def _found(
        self, tenant: str, query: Query, depth: int, filters: Filters | None, **ranking: object
    ) -> Sequence[search_get_pb2.SearchResult]:
        request = search_request(
            self._schema.passage(model_key(query.model)),
            tenant,
            properties=["digest"],
            limit=depth,
            filters=filters,
            **ranking,
        )
        try:
            return (await self._connection.search(request)).results
        except NotThereError:
            return ()

    async def _texts(self, tenant: str, names: Iterable[bytes]) -> dict[bytes, Passage]:
        """Those of the passages that are there."""
        wanted = [str(UUID(bytes=name)) for name in names]
        if not wanted:
            return {}
        # All their properties: one that a newer version added is there only after its first write.
        request = search_request(self._schema.text, tenant, limit=len(wanted), filters=by_id(wanted))
        try:
            reply = await self._connection.search(request)
        except NotThereError:
            return {}
        return {
            result.metadata.id_as_bytes: read_passage(result.properties.non_ref_props.fields)
            for result in reply.results
        }

    async def _check_keys(self, tenant: str, query: Query, state: State) -> None:
        seen = visible(query.caller)
        for condition in query.conditions:
            if not await self._records.carries(tenant, every(seen, carries(condition.key)), state):
                if await self._records.carries(tenant, seen, state):
                    raise UnknownFilterKeyError(condition.key)
                return

    def _breaker(self, source: str) -> Breaker:
        name = source if source in self._breakers or len(self._breakers) < _MAX_BREAKERS else "others"
        breaker = self._breakers.get(name)
        if breaker is None:
            breaker = self._breakers[name] = Breaker(f"weaviate:{name}")
        return breaker


def _name(founds: Sequence[Found], pick: Pick) -> bytes:
    return founds[pick.source].names[pick.position]


def _has_text(pick: Pick, founds: Sequence[Found], texts: Mapping[bytes, Passage]) -> bool:
    better = pick.duplicate_of
    return _name(founds, pick) in texts and (better is None or _name(founds, better) in texts)


def _scored(pick: Pick, founds: Sequence[Found], texts: Mapping[bytes, Passage]) -> ScoredPassage:
    better = pick.duplicate_of
    return ScoredPassage(
        passage=texts[_name(founds, pick)],
        scores=pick.scores,
        found_by=founds[pick.source].candidates.query.source,
        duplicate_of=None if better is None else texts[_name(founds, better)].passage_id,
    )
