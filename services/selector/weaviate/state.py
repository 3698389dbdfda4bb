"""The state of a tenant's corpus: one object, whose replacement is the commit of every write."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final
from uuid import NAMESPACE_URL, uuid5

from weaviate.proto.v1 import base_pb2, search_get_pb2

from services.selector.errors import StoreUnavailableError, UnsupportedSchemaError
from services.selector.passage import EmbeddingModel
from services.selector.weaviate.connection import NotThereError
from services.selector.weaviate.objects import batch_object
from services.selector.weaviate.requests import by_id, search_request
from services.selector.weaviate.schema import SCHEMA, model_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.selector.weaviate.connection import Connection
    from services.selector.weaviate.schema import Schema

_KNOWN_TENANTS: Final = 10_000
"""Tenants whose last state is remembered; the one not used for longest makes room."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """A generation that no reader takes into account."""

    generation: str
    until: float
    """Seconds since the epoch from when on its objects may be removed by anybody."""
    written: bool
    """Whether its writer may still commit it; otherwise its objects only wait to be removed."""
    model: str | None = None
    """Key of the model in whose collection alone it is hidden; None: in all."""


@dataclass(frozen=True, slots=True)
class State:
    """Immutable; what is stored is the whole of it."""

    version: int = 0
    """The corpus version."""
    epoch: int = 0
    """Grows whenever what readers may see changed, undone writes included; two equal ones mean nothing did."""
    model: EmbeddingModel | None = None
    building: EmbeddingModel | None = None
    """The model that the corpus moves to."""
    run: str = ""
    """Name of that change."""
    models: tuple[str, ...] = ()
    """Keys of all models in whose collections the tenant may have objects."""
    documents: int = 0
    erasing: bool = False
    """Whether everything is to be removed before anything is written."""
    restricted: bool = False
    """Whether a document may have groups; where not, groups need not be compared."""
    expiring: bool = False
    """Whether a document may expire."""
    sources: tuple[str, ...] = ()
    """Tokens of the sources that documents may have."""
    hidden: tuple[Hidden, ...] = ()
    schema: int = field(default=SCHEMA)

    @property
    def in_use(self) -> EmbeddingModel | None:
        """The model of the vectors; None where there are none."""
        return self.model if self.documents else None

    def hides(self, key: str | None = None) -> set[str]:
        """Generations hidden everywhere and, where a model's key is given, in its collection."""
        return {entry.generation for entry in self.hidden if entry.model in (None, key)}

    def without(self, generations: Iterable[str], model: str | None = None) -> State:
        """Return the state in which these are no longer hidden."""
        gone = set(generations)
        left = tuple(entry for entry in self.hidden if entry.generation not in gone or entry.model != model)
        return replace(self, hidden=left)


class States:
    """Reads and writes the states; remembers the last one of each tenant."""

    def __init__(self, connection: Connection, schema: Schema) -> None:
        self._connection = connection
        self._schema = schema
        self._known: OrderedDict[str, State] = OrderedDict()

    async def known(self, tenant: str) -> State:
        """The state as it was last seen here, or as it is."""
        state = self._known.get(tenant)
        return state if state is not None else await self.read(tenant)

    async def read(self, tenant: str) -> State:
        """The state as it is. Raises StoreError."""
        request = search_request(
            self._schema.corpus,
            tenant,
            filters=by_id([_name(tenant)]),
            properties=["state"],
            limit=1,
            consistency_level=base_pb2.CONSISTENCY_LEVEL_QUORUM,
        )
        try:
            reply: search_get_pb2.SearchReply = await self._connection.search(request)
        except NotThereError:
            return self._remember(tenant, State())
        if not reply.results:
            return self._remember(tenant, State())
        stored = reply.results[0].properties.non_ref_props.fields["state"].text_value
        return self._remember(tenant, self._parse(tenant, stored))

    async def write(self, tenant: str, state: State) -> None:
        """Replace the state, at once and durably. Only for whom it is the tenant's turn to write."""
        stored = json.dumps(asdict(state), separators=(",", ":"))
        written = batch_object(self._schema.corpus, tenant, _name(tenant), {"state": stored})
        # Whether it was written is not known when this fails.
        self._known.pop(tenant, None)
        refused = await self._connection.insert([written])
        if refused:
            raise StoreUnavailableError(f"Weaviate refused the state of tenant {tenant!r}: {refused[0]}")
        self._remember(tenant, state)

    def _remember(self, tenant: str, state: State) -> State:
        self._known[tenant] = state
        self._known.move_to_end(tenant)
        if len(self._known) > _KNOWN_TENANTS:
            self._known.popitem(last=False)
        return state

    def _parse(self, tenant: str, stored: str) -> State:
        fields: dict[str, Any] = json.loads(stored)
        if fields["schema"] != SCHEMA:
            raise UnsupportedSchemaError(tenant, self._schema.corpus, fields["schema"], SCHEMA)
        for name in ("model", "building"):
            if fields[name] is not None:
                fields[name] = EmbeddingModel(**fields[name])
        for name in ("models", "sources"):
            fields[name] = tuple(fields[name])
        fields["hidden"] = tuple(Hidden(**entry) for entry in fields["hidden"])
        return State(**fields)


def _name(tenant: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"corpus/{tenant}"))


def key_of(model: EmbeddingModel | None) -> str | None:
    """The key of a model, where there is one."""
    return None if model is None else model_key(model)
