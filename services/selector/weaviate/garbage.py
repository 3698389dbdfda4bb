"""Removes objects that no reader takes into account any more."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from weaviate.exceptions import UnexpectedStatusCodeError

from services.selector.weaviate.connection import weaviate_errors
from services.selector.weaviate.filters import any_of
from services.selector.weaviate.state import State, key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from services.selector.weaviate.connection import Connection
    from services.selector.weaviate.schema import Schema
    from services.selector.weaviate.state import States
    from services.selector.weaviate.turns import Turns


class Garbage:
    """What was hidden is removed here, in turn or after it; doing it twice does no harm."""

    def __init__(
        self, connection: Connection, schema: Schema, states: States, turns: Turns, clock: Callable[[], datetime]
    ) -> None:
        self._connection = connection
        self._schema = schema
        self._states = states
        self._turns = turns
        self._clock = clock

    async def recovered(self, tenant: str, state: State, *, keep: str | None = None, all_dead: bool = False) -> State:
        """Finish or undo what writers that died left behind; return the state without it, which is not written yet.

        Only for whom it is the tenant's turn. `keep` is the key of a model whose collection is about to be written to;
        with `all_dead`, what waits to be removed is removed though its time is not over.
        """
        if state.erasing:
            await self._remove_tenant(tenant, state.models)
            state = replace(state, erasing=False)
        former = set(state.models) - {key_of(state.in_use), key_of(state.building), keep}
        # Someone may be writing the first documents of another model, or have written some that wait to be removed.
        if former and not state.hidden:
            await self._drop(tenant, [self._schema.passage(key) for key in former])
            state = replace(state, models=tuple(key for key in state.models if key not in former))
        now = self._clock().timestamp()
        over = [entry for entry in state.hidden if entry.until <= now or (all_dead and not entry.written)]
        for model in {entry.model for entry in over}:
            generations = [entry.generation for entry in over if entry.model == model]
            await self.remove(tenant, generations, state, model)
            # Readers that met the objects of a write that is undone must look again.
            state = replace(state.without(generations, model), epoch=state.epoch + 1)
        return state

    async def remove(self, tenant: str, generations: Iterable[str], state: State, model: str | None = None) -> None:
        """Remove the objects of generations, from the collection of one model (its key) or from all."""
        wanted = any_of("generation", sorted(generations))
        keys = state.models if model is None else (model,)
        for key in keys:
            await self._connection.delete(self._schema.passage(key), tenant, wanted)
        if model is None:
            await self._connection.delete(self._schema.text, tenant, wanted)
            # Last, so that what is left of a document can be found by its record.
            await self._connection.delete(self._schema.document, tenant, wanted)

    async def collect(self, tenant: str, generations: Iterable[str], model: str | None = None) -> None:
        """Remove the objects of hidden generations, then take these off the state."""
        names = list(generations)
        if not names:
            return
        await self.remove(tenant, names, await self._states.known(tenant), model)
        async with self._turns.turn(tenant):
            state = await self._states.read(tenant)
            left = state.without(names, model)
            if left != state:
                await self._states.write(tenant, left)

    async def erase(self, tenant: str) -> None:
        """Remove all of a tenant whose state says that it is being erased."""
        async with self._turns.turn(tenant):
            state = await self._states.read(tenant)
            if state.erasing:
                await self._states.write(tenant, await self.recovered(tenant, state))

    async def _remove_tenant(self, tenant: str, models: Iterable[str]) -> None:
        passages = [self._schema.passage(key) for key in models]
        await self._drop(tenant, [*passages, self._schema.text, self._schema.document])

    async def _drop(self, tenant: str, collections: Iterable[str]) -> None:
        """Remove a tenant's part of collections with its files."""
        client = await self._connection.client()
        for name in collections:
            with weaviate_errors():
                try:
                    await client.collections.use(name).tenants.remove([tenant])
                except UnexpectedStatusCodeError:
                    # A collection that is not there holds nothing of the tenant.
                    if await client.collections.exists(name):
                        raise
