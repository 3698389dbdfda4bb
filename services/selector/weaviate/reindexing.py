"""A change of the embedding model: the passages' vectors of the new one grow in a collection of their own."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from services.selector.errors import InvalidDocumentError, StoreBusyError
from services.selector.moments import next_version
from services.selector.passage import IndexedDocument
from services.selector.query import StaleDocument
from services.selector.weaviate.connection import NotThereError
from services.selector.weaviate.filters import Filters, every, more_than, none_of
from services.selector.weaviate.objects import (
    document_object,
    passage_name,
    passage_objects,
    read_passage,
)
from services.selector.weaviate.requests import by_id, search_request
from services.selector.weaviate.schema import model_key
from services.selector.weaviate.state import Hidden
from services.selector.weaviate.writer import WRITER_LEASE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray
    from weaviate.proto.v1 import batch_pb2

    from services.selector.passage import EmbeddingModel, Passage
    from services.selector.weaviate.connection import Connection
    from services.selector.weaviate.garbage import Garbage
    from services.selector.weaviate.objects import Record
    from services.selector.weaviate.records import Records
    from services.selector.weaviate.schema import Schema
    from services.selector.weaviate.state import State, States
    from services.selector.weaviate.turns import Turns
    from services.selector.weaviate.writer import Writer

_PASSAGES: Final = 1_000
"""Passages read in one request."""


class Reindexer:
    """Moves corpora to another model.

    Each change is a run with a name of its own, which the records of the documents that are done carry.
    """

    def __init__(
        self,
        connection: Connection,
        schema: Schema,
        states: States,
        records: Records,
        writer: Writer,
        garbage: Garbage,
        turns: Turns,
        clock: Callable[[], datetime],
    ) -> None:
        self._connection = connection
        self._schema = schema
        self._states = states
        self._records = records
        self._writer = writer
        self._garbage = garbage
        self._turns = turns
        self._clock = clock

    async def stale(self, tenant: str, model: EmbeddingModel, limit: int) -> Sequence[StaleDocument]:
        """See `Store.stale`."""

        async def read(state: State) -> list[StaleDocument]:
            if state.in_use in (None, model):
                return []
            not_done = _stale(state.run if state.building == model else None)
            return [
                StaleDocument(
                    record.document.document_id, record.document.content_hash, await self._passages(tenant, record)
                )
                for record in await self._records.page(tenant, not_done, "", limit, state)
            ]

        found, _ = await self._records.settled(tenant, read)
        return found

    async def add_vectors(
        self, tenant: str, model: EmbeddingModel, vectors: Sequence[tuple[StaleDocument, NDArray[np.float32]]]
    ) -> None:
        """See `Store.add_vectors`."""
        given = {document.document_id: (document, rows) for document, rows in vectors}
        for document, rows in given.values():
            if rows.shape != (len(document.passages), model.dimension):
                raise InvalidDocumentError(f"document {document.document_id!r}: its vectors are not of {model}")
        records = await self._announce(tenant, model, given)
        collection = self._schema.passage(model_key(model))

        def build() -> list[batch_pb2.BatchObject]:
            built: list[batch_pb2.BatchObject] = []
            for record in records:
                document, rows = given[record.document.document_id]
                indexed = IndexedDocument(record.document, document.passages, rows)
                built += passage_objects(collection, tenant, indexed, record.generation)
            return built

        if records:
            await self._writer.insert(await asyncio.to_thread(build))
            await self._commit(tenant, model, given, {record.generation for record in records})

    async def adopt(self, tenant: str, model: EmbeddingModel) -> bool:
        """See `Store.adopt`."""
        await self._schema.ensure()
        async with self._turns.turn(tenant):
            state = await self._garbage.recovered(tenant, await self._states.read(tenant))
            if state.in_use in (None, model):
                return True
            if state.building != model or await self._records.page(tenant, _stale(state.run), "", 1, state):
                return False
            adopted = replace(
                state,
                model=model,
                building=None,
                run="",
                version=next_version(state.version, self._clock()),
                epoch=state.epoch + 1,
            )
            await self._states.write(tenant, adopted)
            # The vectors that are no longer in use.
            cleaned = await self._garbage.recovered(tenant, adopted)
            if cleaned != adopted:
                await self._states.write(tenant, cleaned)
        return True

    async def _announce(
        self,
        tenant: str,
        model: EmbeddingModel,
        given: Mapping[str, tuple[StaleDocument, NDArray[np.float32]]],
    ) -> list[Record]:
        """Hide what is about to be written, in the new model's collection alone; return what is to be written."""
        key = model_key(model)
        await self._schema.ensure(key)
        async with self._turns.turn(tenant):
            state = await self._garbage.recovered(tenant, await self._states.read(tenant), keep=key)
            if state.in_use in (None, model):
                return []
            records = await self._unchanged(tenant, given, state)
            if state.building != model:
                state = replace(state, building=model, run=secrets.token_hex(16))
            until = self._clock().timestamp() + WRITER_LEASE
            hidden = tuple(Hidden(record.generation, until, written=True, model=key) for record in records)
            models = tuple(dict.fromkeys((*state.models, key)))
            await self._states.write(tenant, replace(state, models=models, hidden=state.hidden + hidden))
        return records

    async def _commit(
        self,
        tenant: str,
        model: EmbeddingModel,
        given: Mapping[str, tuple[StaleDocument, NDArray[np.float32]]],
        generations: set[str],
    ) -> None:
        key = model_key(model)
        async with self._turns.turn(tenant):
            state = await self._states.read(tenant)
            ours = {entry.generation for entry in state.hidden if entry.model == key}
            if state.building != model or not generations <= ours:
                raise StoreBusyError(f"new vectors of tenant {tenant!r} came too late")
            records = [r for r in await self._unchanged(tenant, given, state) if r.generation in generations]
            changed = generations.difference(record.generation for record in records)
            if changed:
                await self._garbage.remove(tenant, changed, state, key)
            await self._states.write(tenant, state.without(generations, key))
            # Only now: a record that says so before its vectors are shown could be believed by one who adopts them.
            await self._writer.insert(
                document_object(self._schema.document, tenant, replace(record, runs=(state.run,))) for record in records
            )

    async def _unchanged(
        self, tenant: str, given: Mapping[str, tuple[StaleDocument, NDArray[np.float32]]], state: State
    ) -> list[Record]:
        stored = await self._records.find(tenant, given, state)
        return [r for name, r in stored.items() if r.document.content_hash == given[name][0].content_hash]

    async def _passages(self, tenant: str, record: Record) -> tuple[Passage, ...]:
        """A document's passages; fewer than it has where it was replaced meanwhile."""
        found: list[Passage] = []
        for start in range(0, record.document.passage_count, _PASSAGES):
            request = search_request(
                self._schema.text,
                tenant,
                limit=_PASSAGES,
                filters=by_id(
                    passage_name(record.generation, ordinal)
                    for ordinal in range(start, min(start + _PASSAGES, record.document.passage_count))
                ),
            )
            try:
                reply = await self._connection.search(request)
            except NotThereError:
                break
            found += (read_passage(result.properties.non_ref_props.fields) for result in reply.results)
        return tuple(sorted(found, key=lambda passage: passage.ordinal))


def _stale(run: str | None) -> Filters | None:
    """Holds for documents with passages that this change of the model has not reached; None: a change not begun."""
    return every(more_than("passages", 0), None if run is None else none_of("runs", [run]))
