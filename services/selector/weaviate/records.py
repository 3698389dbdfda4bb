"""Reads documents' records, each from one state of the corpus."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from weaviate.classes.aggregate import GroupByAggregate
from weaviate.classes.query import Filter, Metrics
from weaviate.proto.v1 import base_pb2, search_get_pb2

from services.selector.query import CorpusStats, Reindexing, SourceStats
from services.selector.weaviate.connection import NotThereError, weaviate_errors
from services.selector.weaviate.filters import PUBLIC, above, any_of, every, none_of, of_source, token, visible
from services.selector.weaviate.objects import Record, read_document
from services.selector.weaviate.requests import ascending, search_request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

    from weaviate.collections.classes.filters import _Filters

    from services.selector.caller import Caller
    from services.selector.weaviate.connection import Connection
    from services.selector.weaviate.filters import Filters
    from services.selector.weaviate.schema import Schema
    from services.selector.weaviate.state import State, States
    from services.selector.weaviate.turns import Turns

_Result = TypeVar("_Result")

_TRIES: Final = 5
_IDS: Final = 500
"""Documents asked for in one request."""
_ROOM: Final = 5_000
"""Records one request may return: half of what Weaviate allows."""
_MAX_SOURCES: Final = 10_000


class _Total(NamedTuple):
    documents: int = 0
    passages: int = 0
    size: int = 0


class Records:
    """Reads what the state says is to be seen."""

    def __init__(self, connection: Connection, schema: Schema, states: States, turns: Turns) -> None:
        self._connection = connection
        self._schema = schema
        self._states = states
        self._turns = turns

    async def settled(self, tenant: str, work: Callable[[State], Awaitable[_Result]]) -> tuple[_Result, State]:
        """What `work` reads, and the one state of the corpus that it was read from; it may be done several times."""
        state = await self._states.known(tenant)
        for _ in range(_TRIES):
            result = await work(state)
            now = await self._states.read(tenant)
            if now == state:
                return result, state
            state = now
        # While it is our turn nothing is committed.
        async with self._turns.turn(tenant):
            state = await self._states.read(tenant)
            return await work(state), state

    async def find(self, tenant: str, document_ids: Iterable[str], state: State) -> dict[str, Record]:
        """The records of these documents, whoever may see them."""
        found: dict[str, Record] = {}
        if state.erasing:
            return found
        for some in _chunks(iter(dict.fromkeys(document_ids)), _IDS):
            filters = any_of("document", [token("document", name) for name in some])
            for record in await self._fetch(tenant, filters, _ROOM, state):
                found[record.document.document_id] = record
        return found

    async def matching(self, tenant: str, filters: Filters | None, state: State) -> list[Record]:
        """All records that match."""
        found: list[Record] = []
        after = ""
        while True:
            some = await self.page(tenant, filters, after, _ROOM // 2, state)
            found += some
            if len(some) < _ROOM // 2:
                return found
            after = some[-1].document.document_id

    async def page(self, tenant: str, filters: Filters | None, after: str, count: int, state: State) -> list[Record]:
        """At most `count` records that match, of ids greater than `after`, in the order of the ids' UTF-8 bytes."""
        found: list[Record] = []
        if state.erasing:
            return found
        hides = state.hides()
        if len(hides) > count:
            # Else a page of hidden ones could end between two generations of a document.
            filters = every(filters, none_of("generation", hides))
        while True:
            # Two generations of a document may be there; the hidden ones take places.
            room = min(count - len(found) + min(len(state.hidden), count), _ROOM)
            beyond = every(filters, above("order", after.encode().hex()) if after else None)
            reply = await self._search(tenant, beyond, room, ["generation", "runs", "record"], ascending=True)
            records = [_record(result) for result in reply]
            found += [record for record in records if record.generation not in hides]
            if len(found) >= count or len(records) < room:
                return found[:count]
            after = records[-1].document.document_id

    async def carries(self, tenant: str, filters: Filters | None, state: State) -> bool:
        """Tell whether a document matches."""
        return bool(await self._fetch(tenant, filters, len(state.hidden) + 1, state))

    async def stats(self, tenant: str, caller: Caller, state: State) -> CorpusStats:
        """See `Store.stats`."""
        if state.erasing:
            return CorpusStats((), state.version, None)
        hidden = await self._hidden(tenant, visible(caller), state)
        totals = await self._totals(tenant, _seen_by(caller))
        sources = []
        for name, total in sorted(totals.items()):
            left = _minus(total, [record for record in hidden if record.document.source == name])
            if left.documents:
                sources.append(SourceStats(name, *left))
        reindexing = None
        if state.building is not None and state.in_use is not None:
            done = await self._done(tenant, caller, state.run, hidden)
            reindexing = Reindexing(state.building, done, sum(source.passage_count for source in sources))
        return CorpusStats(tuple(sources), state.version, state.in_use, reindexing)

    async def _done(self, tenant: str, caller: Caller, run: str, hidden: Sequence[Record]) -> int:
        seen, built = _seen_by(caller), Filter.by_property("runs").contains_any([run])
        totals = await self._totals(tenant, built if seen is None else seen & built)
        built_ones = [record for record in hidden if run in record.runs]
        return sum(total.passages for total in totals.values()) - sum(r.document.passage_count for r in built_ones)

    async def _totals(self, tenant: str, filters: _Filters | None) -> dict[str, _Total]:
        client = await self._connection.client()
        collection = client.collections.use(self._schema.document).with_tenant(tenant)
        try:
            with weaviate_errors():
                found = await collection.aggregate.over_all(
                    filters=filters,
                    group_by=GroupByAggregate(prop="sourceName", limit=_MAX_SOURCES),
                    return_metrics=[
                        Metrics("passages").integer(sum_=True),
                        Metrics("size").integer(sum_=True),
                    ],
                )
        except NotThereError:
            return {}
        totals = {}
        for group in found.groups:
            passages, size = group.properties["passages"], group.properties["size"]
            totals[str(group.grouped_by.value)] = _Total(
                group.total_count or 0,
                getattr(passages, "sum_", 0) or 0,
                getattr(size, "sum_", 0) or 0,
            )
        return totals

    async def _hidden(self, tenant: str, filters: Filters | None, state: State) -> list[Record]:
        found: list[Record] = []
        for some in _chunks(iter(sorted(state.hides())), _IDS):
            wanted = every(filters, any_of("generation", some))
            reply = await self._search(tenant, wanted, _ROOM, ["generation", "runs", "record"])
            found += [_record(result) for result in reply]
        return found

    async def _fetch(self, tenant: str, filters: Filters | None, limit: int, state: State) -> list[Record]:
        hides = state.hides()
        if hides and len(hides) >= limit:
            filters = every(filters, none_of("generation", hides))
        reply = await self._search(tenant, filters, limit, ["generation", "runs", "record"])
        records = [_record(result) for result in reply]
        return [record for record in records if record.generation not in hides]

    async def _search(
        self,
        tenant: str,
        filters: Filters | None,
        limit: int,
        properties: Sequence[str],
        *,
        ascending: bool = False,
    ) -> Sequence[search_get_pb2.SearchResult]:
        request = search_request(
            self._schema.document,
            tenant,
            filters=filters,
            properties=properties,
            limit=limit,
            sort_by=_BY_ORDER if ascending else None,
            consistency_level=base_pb2.CONSISTENCY_LEVEL_QUORUM,
        )
        try:
            reply = await self._connection.search(request)
        except NotThereError:
            return ()
        return reply.results


_BY_ORDER: Final = ascending("order")


def _record(result: search_get_pb2.SearchResult) -> Record:
    fields = result.properties.non_ref_props.fields
    return Record(
        document=read_document(fields["record"].text_value),
        generation=fields["generation"].text_value,
        runs=tuple(fields["runs"].list_value.text_values.values),
    )


def _seen_by(caller: Caller) -> _Filters | None:
    """What `filters.visible` says, in the form that aggregations take."""
    if caller.sees_all:
        return None
    groups = [PUBLIC, *(token("group", group) for group in caller.groups)]
    return Filter.by_property("groups").contains_any(groups)


def _minus(total: _Total, records: Sequence[Record]) -> _Total:
    return _Total(
        total.documents - len(records),
        total.passages - sum(record.document.passage_count for record in records),
        total.size - sum(record.document.size for record in records),
    )


def _chunks(items: Iterator[str], size: int) -> Iterator[list[str]]:
    while some := list(islice(items, size)):
        yield some


def in_source(source: str) -> Filters | None:
    """Holds for the documents of a source; None, for all, where its name is empty."""
    return of_source(source) if source else None
