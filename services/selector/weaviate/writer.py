"""Writes documents: each write is a new generation, and one update of the state commits it.

1. In turn: the new generations are hidden.
2. Their objects go in. Whatever fails here, nothing of it was seen.
3. In turn: one update of the state shows them, hides those they replace and raises the version.
4. The objects of the replaced ones are removed, then their names from the state.

A writer that died leaves hidden generations behind, whose objects the next writer removes when their time is over:
that undoes a write before its commit and finishes one after it.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from services.chassis.logs import get_logger
from services.selector.errors import (
    DocumentForbiddenError,
    EmbeddingModelMismatchError,
    StoreBusyError,
    StoreError,
    StoreUnavailableError,
)
from services.selector.moments import next_version
from services.selector.passage import IndexedDocument, check_dimension
from services.selector.query import Written
from services.selector.weaviate.filters import token
from services.selector.weaviate.objects import (
    Record,
    document_object,
    passage_objects,
    text_objects,
)
from services.selector.weaviate.schema import model_key
from services.selector.weaviate.state import Hidden, State

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from weaviate.proto.v1 import batch_pb2

    from services.selector.caller import Caller
    from services.selector.passage import EmbeddingModel
    from services.selector.weaviate.connection import Connection
    from services.selector.weaviate.garbage import Garbage
    from services.selector.weaviate.records import Records
    from services.selector.weaviate.schema import Schema
    from services.selector.weaviate.state import States
    from services.selector.weaviate.turns import Turns

_log = get_logger(__name__)

_WRITING: Final = 300.0
"""Seconds that the objects of one write may take to go in, at most."""
WRITER_LEASE: Final = 600.0
"""Seconds after which a writer is taken for dead: more than a write may take, by more than a request may live."""
_REMOVAL_LEASE: Final = 60.0
"""Seconds after which another writer may remove what was replaced."""
_BATCH_BYTES: Final = 4 * 1024 * 1024
_BATCH_OBJECTS: Final = 400


@dataclass(frozen=True, slots=True)
class Commit:
    """What a commit did."""

    state: State
    replaced: int
    garbage: tuple[str, ...]
    """Generations that wait to be removed now."""
    previous_version: int
    """Version of the corpus before it."""


class Writer:
    """Changes corpora by whole documents."""

    def __init__(
        self,
        connection: Connection,
        schema: Schema,
        states: States,
        records: Records,
        garbage: Garbage,
        turns: Turns,
        clock: Callable[[], datetime],
    ) -> None:
        self._connection = connection
        self._schema = schema
        self._states = states
        self._records = records
        self._garbage = garbage
        self._turns = turns
        self._clock = clock

    async def index(
        self, tenant: str, documents: Sequence[IndexedDocument], model: EmbeddingModel, caller: Caller
    ) -> Written:
        """See `Store.index`."""
        check_dimension(documents, model)
        await self._schema.ensure()
        latest = {indexed.document.document_id: indexed for indexed in documents}
        stored, state = await self._records.settled(tenant, lambda now: self._records.find(tenant, latest, now))
        changed = [indexed for name, indexed in latest.items() if _differs(indexed, stored.get(name), caller)]
        if not changed:
            return Written(state.version, 0, state.version)
        _check_model(tenant, state, model)
        written = self._stamped(changed)
        # Words are analysed and sketches made: a second of work for a large document.
        objects = await asyncio.to_thread(lambda: list(self._objects(tenant, written, model)))
        committing = asyncio.Event()
        try:
            await self._announce(tenant, written, model)
            try:
                async with asyncio.timeout(_WRITING):
                    await self.insert(objects)
                commit = await self._commit_index(tenant, written, model, caller, committing)
            except TimeoutError as error:
                raise StoreUnavailableError("Weaviate took too long to take the documents") from error
        except StoreError:
            # A collection that was there may be gone.
            self._schema.forget()
            await self._undo(tenant, [r.generation for r, _ in written], model, certain=not committing.is_set())
            raise
        await self.collect(tenant, commit.garbage)
        return Written(commit.state.version, commit.replaced, commit.previous_version)

    async def remove(
        self, tenant: str, select: Callable[[State], Awaitable[Mapping[str, Record]]], *, always: bool = False
    ) -> tuple[Mapping[str, Record], Commit]:
        """Take away the documents that `select` finds, in turn; with `always`, the version grows even for none."""
        await self._schema.ensure()
        async with self._turns.turn(tenant):
            before = await self._states.read(tenant)
            state = await self._garbage.recovered(tenant, before, all_dead=always)
            gone = await select(state)
            if not gone and not always:
                if state != before:
                    await self._states.write(tenant, state)
                return gone, Commit(state, 0, (), state.version)
            commit = await self._commit(tenant, state, shown=(), gone=list(gone.values()))
        return gone, commit

    async def erase(self, tenant: str) -> tuple[Mapping[str, Record], Commit]:
        """Take away all of a tenant; its state says until it is done that it is being erased."""
        await self._schema.ensure()
        async with self._turns.turn(tenant):
            state = await self._states.read(tenant)
            gone = await self._records.matching(tenant, None, state) if state.documents else []
            # Writers under way must not commit what is removed under them.
            dead = tuple(replace(entry, written=False, model=None) for entry in state.hidden if entry.written)
            erased = State(
                version=next_version(state.version, self._clock()),
                epoch=state.epoch + 1,
                models=state.models,
                erasing=True,
                hidden=dead,
            )
            await self._states.write(tenant, erased)
        return {record.document.document_id: record for record in gone}, Commit(erased, 0, (), state.version)

    async def insert(self, objects: Iterable[batch_pb2.BatchObject]) -> None:
        """Write objects in batches. Raises StoreUnavailableError, which says what was refused and why."""
        for batch in _batches(objects):
            refused = await self._connection.insert(batch)
            if refused:
                position, reason = next(iter(refused.items()))
                raise StoreUnavailableError(
                    f"Weaviate refused {len(refused)} objects of {len(batch)}, "
                    f"the first of {batch[position].collection}: {reason}"
                )

    async def _announce(
        self, tenant: str, written: Sequence[tuple[Record, IndexedDocument]], model: EmbeddingModel
    ) -> None:
        key = model_key(model)
        await self._schema.ensure(key)
        async with self._turns.turn(tenant):
            state = await self._states.read(tenant)
            _check_model(tenant, state, model)
            state = await self._garbage.recovered(tenant, state, keep=key)
            until = self._clock().timestamp() + WRITER_LEASE
            hidden = tuple(Hidden(record.generation, until, written=True) for record, _ in written)
            sources = {token("source", record.document.source) for record, _ in written}
            await self._states.write(
                tenant,
                replace(
                    state,
                    models=tuple(dict.fromkeys((*state.models, key))),
                    restricted=state.restricted or any(record.document.acl_groups for record, _ in written),
                    expiring=state.expiring or any(record.document.expires_at for record, _ in written),
                    sources=tuple(sorted({*state.sources, *sources})),
                    hidden=state.hidden + hidden,
                ),
            )

    async def _commit_index(
        self,
        tenant: str,
        written: Sequence[tuple[Record, IndexedDocument]],
        model: EmbeddingModel,
        caller: Caller,
        committing: asyncio.Event,
    ) -> Commit:
        async with self._turns.turn(tenant):
            state = await self._states.read(tenant)
            ours = {entry.generation for entry in state.hidden if entry.written}
            if model_key(model) not in state.models or any(record.generation not in ours for record, _ in written):
                raise StoreBusyError(f"a write to tenant {tenant!r} took so long that it was taken for dead")
            _check_model(tenant, state, model)
            names = [record.document.document_id for record, _ in written]
            stored = await self._records.find(tenant, names, state)
            # Another writer may have written the same document meanwhile.
            shown = [r for r, indexed in written if _differs(indexed, stored.get(r.document.document_id), caller)]
            gone = [stored[r.document.document_id] for r in shown if r.document.document_id in stored]
            late = [record.generation for record, _ in written if record not in shown]
            committing.set()
            commit = await self._commit(
                tenant, replace(state, model=model), shown=[r.generation for r in shown], gone=gone, late=late
            )
            return replace(commit, replaced=len(gone))

    async def _commit(
        self, tenant: str, state: State, *, shown: Sequence[str], gone: Sequence[Record], late: Sequence[str] = ()
    ) -> Commit:
        """The one update by which everything changes for readers."""
        garbage = (*(record.generation for record in gone), *late)
        until = self._clock().timestamp() + _REMOVAL_LEASE
        left = state.without([*shown, *late])
        changed = bool(shown or gone or not late)
        committed = replace(
            left,
            version=next_version(state.version, self._clock()) if changed else state.version,
            epoch=state.epoch + 1,
            documents=state.documents + len(shown) - len(gone),
            hidden=left.hidden + tuple(Hidden(generation, until, written=False) for generation in garbage),
        )
        await self._states.write(tenant, committed)
        return Commit(committed, len(gone), garbage, state.version)

    def _stamped(self, changed: Sequence[IndexedDocument]) -> list[tuple[Record, IndexedDocument]]:
        """Each document as it will stand in the store, under a new generation."""
        now = self._clock()
        written = []
        for position, indexed in enumerate(changed):
            document = replace(
                indexed.document,
                passage_count=len(indexed.passages),
                # A microsecond apart, so that documents have an order: that in which they came.
                indexed_at=now + timedelta(microseconds=position),
            )
            stamped = IndexedDocument(document, indexed.passages, indexed.vectors)
            written.append((Record(document, secrets.token_hex(8)), stamped))
        return written

    def _objects(
        self, tenant: str, written: Sequence[tuple[Record, IndexedDocument]], model: EmbeddingModel
    ) -> Iterable[batch_pb2.BatchObject]:
        for record, indexed in written:
            yield document_object(self._schema.document, tenant, record)
            yield from text_objects(self._schema.text, tenant, record.document, record.generation, indexed.passages)
            yield from passage_objects(self._schema.passage(model_key(model)), tenant, indexed, record.generation)

    async def _undo(self, tenant: str, generations: Sequence[str], model: EmbeddingModel, *, certain: bool) -> None:
        """Remove what is not committed. Where that fails too, the next writer does it when the time is over.

        `certain` says that no commit was tried: then they go even where another writer took this one for dead and no
        longer hides them. Otherwise only what is still hidden is surely not committed.
        """
        try:
            async with self._turns.turn(tenant):
                state = await self._states.read(tenant)
                ours = {entry.generation for entry in state.hidden if entry.written}.intersection(generations)
                gone = set(generations) if certain else ours
                if gone:
                    keys = tuple(dict.fromkeys((*state.models, model_key(model))))
                    await self._garbage.remove(tenant, gone, replace(state, models=keys))
                    await self._states.write(tenant, replace(state.without(gone), epoch=state.epoch + 1))
        except StoreError as error:
            _log.warning("write_not_undone", tenant=tenant, error=type(error).__name__)

    async def collect(self, tenant: str, generations: Sequence[str]) -> None:
        """Remove what was replaced. It is committed, so a failure is no error: the next writer goes on."""
        if not generations:
            return
        try:
            await self._garbage.collect(tenant, generations)
        except StoreError as error:
            _log.warning("garbage_left", tenant=tenant, error=type(error).__name__)


def _differs(indexed: IndexedDocument, stored: Record | None, caller: Caller) -> bool:
    """Whether a document has to be written. Raises DocumentForbiddenError."""
    if stored is None:
        return True
    if not caller.may_see(stored.document.acl_groups):
        raise DocumentForbiddenError(indexed.document.document_id)
    return stored.document.content_hash != indexed.document.content_hash


def _check_model(tenant: str, state: State, model: EmbeddingModel) -> None:
    if state.in_use is not None and state.in_use != model:
        raise EmbeddingModelMismatchError(tenant, state.in_use, model)


def _batches(objects: Iterable[batch_pb2.BatchObject]) -> Iterable[list[batch_pb2.BatchObject]]:
    batch: list[batch_pb2.BatchObject] = []
    size = 0
    for one in objects:
        batch.append(one)
        size += one.ByteSize()
        if size >= _BATCH_BYTES or len(batch) >= _BATCH_OBJECTS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
