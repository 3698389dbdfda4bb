"""The Weaviate store: the store port over a cluster that any number of selectors share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from services.selector.moments import microseconds
from services.selector.page_token import listed_after, page_of
from services.selector.query import Removal
from services.selector.tenant import checked_tenant
from services.selector.weaviate.connection import Address, Connection
from services.selector.weaviate.filters import any_of, at_most, every, token, visible
from services.selector.weaviate.garbage import Garbage
from services.selector.weaviate.records import Records, in_source
from services.selector.weaviate.reindexing import Reindexer
from services.selector.weaviate.schema import Schema
from services.selector.weaviate.search import Searcher
from services.selector.weaviate.state import State, States
from services.selector.weaviate.turns import Turns
from services.selector.weaviate.writer import Commit, Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from redis.asyncio import Redis
    from redis.asyncio.cluster import RedisCluster

    from services.selector.caller import Caller
    from services.selector.passage import Document, EmbeddingModel, IndexedDocument
    from services.selector.ports import Rank
    from services.selector.query import CorpusStats, DocumentPage, Query, Selection, StaleDocument, Written
    from services.selector.weaviate.objects import Record


class WeaviateStore:
    """Implements `Store`. It connects when it is first used, so a Weaviate that is away does not keep it from starting.

    Args:
        address: where Weaviate is.
        redis: lets writers take turns; not owned. While it is away, writes are refused and reads go on.
        prefix: what the names of collections and locks begin with, so that meshes may share a cluster.
        turn_wait: seconds that a write waits for others, at most.
        clock: the current time, with its zone.
    """

    def __init__(
        self,
        address: Address,
        redis: Redis | RedisCluster,
        *,
        prefix: str = "Scic",
        turn_wait: float = 10.0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._connection = Connection(address)
        self._schema = Schema(self._connection, prefix)
        self._states = States(self._connection, self._schema)
        self._turns = turns = Turns(redis, prefix=prefix.lower(), wait=turn_wait)
        self._records = Records(self._connection, self._schema, self._states, turns)
        self._garbage = Garbage(self._connection, self._schema, self._states, turns, clock)
        self._writer = Writer(self._connection, self._schema, self._states, self._records, self._garbage, turns, clock)
        self._reindexer = Reindexer(
            self._connection, self._schema, self._states, self._records, self._writer, self._garbage, turns, clock
        )
        self._searcher = Searcher(self._connection, self._schema, self._states, self._records, turns)

    async def index(
        self, tenant: str, documents: Sequence[IndexedDocument], model: EmbeddingModel, caller: Caller
    ) -> Written:
        """See `Store.index`."""
        return await self._writer.index(checked_tenant(tenant), documents, model, caller)

    async def delete(self, tenant: str, document_ids: Sequence[str], caller: Caller) -> Removal:
        """See `Store.delete`."""

        async def select(state: State) -> dict[str, Record]:
            found = await self._records.find(tenant, document_ids, state)
            return {name: record for name, record in found.items() if caller.may_see(record.document.acl_groups)}

        gone, commit = await self._writer.remove(checked_tenant(tenant), select)
        await self._writer.collect(tenant, commit.garbage)
        return _removal(gone, commit)

    async def erase_subject(self, tenant: str, subject: str) -> Removal:
        """See `Store.erase_subject`. Weaviate's files lose the bytes when it compacts them."""

        async def select(state: State) -> dict[str, Record]:
            wanted = any_of("subjects", [token("subject", subject)])
            return _by_id(await self._records.matching(tenant, wanted, state))

        gone, commit = await self._writer.remove(checked_tenant(tenant), select, always=True)
        # Not like a deletion, whose rest may wait for the next writer: only what is gone was erased.
        await self._garbage.collect(tenant, commit.garbage)
        return _removal(gone, commit)

    async def erase_tenant(self, tenant: str) -> Removal:
        """See `Store.erase_tenant`. The tenant's files are removed."""
        gone, commit = await self._writer.erase(checked_tenant(tenant))
        await self._garbage.erase(tenant)
        return _removal(gone, commit)

    async def remove_expired(self, tenant: str, now: datetime) -> Removal:
        """See `Store.remove_expired`."""
        expired = at_most("expires", microseconds(now))
        # Without a turn first: there is nothing to remove nearly always.
        found, state = await self._records.settled(
            checked_tenant(tenant), lambda known: self._records.matching(tenant, expired, known)
        )
        if not found:
            return Removal((), 0, state.version, state.version)

        async def select(state: State) -> dict[str, Record]:
            return _by_id(await self._records.matching(tenant, expired, state))

        gone, commit = await self._writer.remove(tenant, select)
        await self._writer.collect(tenant, commit.garbage)
        return _removal(gone, commit)

    async def tenants(self) -> Sequence[str]:
        """See `Store.tenants`."""
        names = await self._schema.tenants()
        states = [await self._states.read(name) for name in names]
        return [name for name, state in zip(names, states, strict=True) if state.documents]

    async def unchanged(self, tenant: str, fingerprints: Sequence[tuple[str, str]], caller: Caller) -> dict[str, int]:
        """See `Store.unchanged`."""
        names = [name for name, _ in fingerprints]
        stored, _ = await self._records.settled(
            checked_tenant(tenant), lambda state: self._records.find(tenant, names, state)
        )
        found = {}
        for name, content_hash in fingerprints:
            record = stored.get(name)
            if record is None or record.document.content_hash != content_hash:
                continue
            if caller.may_see(record.document.acl_groups):
                found[name] = record.document.passage_count
        return found

    async def get(self, tenant: str, document_id: str, caller: Caller) -> Document | None:
        """See `Store.get`."""
        found, _ = await self._records.settled(
            checked_tenant(tenant), lambda state: self._records.find(tenant, [document_id], state)
        )
        record = found.get(document_id)
        return record.document if record is not None and caller.may_see(record.document.acl_groups) else None

    async def list(
        self, tenant: str, caller: Caller, *, source: str = "", page_token: str = "", page_size: int
    ) -> DocumentPage:
        """See `Store.list`."""
        after = listed_after(page_token, source)
        filters = every(visible(caller), in_source(source))
        found, _ = await self._records.settled(
            checked_tenant(tenant), lambda state: self._records.page(tenant, filters, after, page_size + 1, state)
        )
        return page_of([record.document for record in found], page_size, source)

    async def stats(self, tenant: str, caller: Caller) -> CorpusStats:
        """See `Store.stats`."""
        found, _ = await self._records.settled(
            checked_tenant(tenant), lambda state: self._records.stats(tenant, caller, state)
        )
        return found

    async def corpus_version(self, tenant: str) -> int:
        """See `Store.corpus_version`."""
        return (await self._states.read(checked_tenant(tenant))).version

    async def model(self, tenant: str) -> EmbeddingModel | None:
        """See `Store.model`."""
        return (await self._states.read(checked_tenant(tenant))).in_use

    async def search(self, tenant: str, query: Query, rank: Rank) -> Selection:
        """See `Store.search`."""
        return await self._searcher.search(checked_tenant(tenant), query, rank)

    async def stale(self, tenant: str, model: EmbeddingModel, limit: int) -> Sequence[StaleDocument]:
        """See `Store.stale`."""
        return await self._reindexer.stale(checked_tenant(tenant), model, limit)

    async def add_vectors(
        self, tenant: str, model: EmbeddingModel, vectors: Sequence[tuple[StaleDocument, NDArray[np.float32]]]
    ) -> None:
        """See `Store.add_vectors`."""
        await self._reindexer.add_vectors(checked_tenant(tenant), model, vectors)

    async def adopt(self, tenant: str, model: EmbeddingModel) -> bool:
        """See `Store.adopt`; a tenant without a corpus takes any model."""
        return await self._reindexer.adopt(checked_tenant(tenant), model)

    async def ready(self) -> bool:
        """Tell whether Weaviate answers now."""
        return await self._connection.ready()

    async def close(self) -> None:
        """Close the connections. The store cannot be used afterwards."""
        await self._turns.close()
        await self._connection.close()


def _by_id(records: Sequence[Record]) -> dict[str, Record]:
    return {record.document.document_id: record for record in records}


def _removal(gone: Mapping[str, Record], commit: Commit) -> Removal:
    return Removal(
        document_ids=tuple(gone),
        passage_count=sum(record.document.passage_count for record in gone.values()),
        corpus_version=commit.state.version,
        previous_version=commit.previous_version,
    )
