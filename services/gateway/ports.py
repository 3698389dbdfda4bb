"""What the gateway needs of the world."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from scic.composer.v1 import composer_service_pb2 as composer
from scic.compressor.v1 import compressor_service_pb2 as compressor
from scic.selector.v1 import selector_service_pb2 as selector


class Selector(Protocol):
    """The selector. Every method raises StageError where it has no answer within `timeout` seconds."""

    async def select(self, request: selector.SelectRequest, *, timeout: float) -> selector.SelectResponse:
        """Finds passages."""
        ...

    async def index(self, request: selector.IndexRequest, *, timeout: float) -> selector.IndexResponse:
        """Stores documents, durably."""
        ...

    async def delete(self, request: selector.DeleteRequest, *, timeout: float) -> selector.DeleteResponse:
        """Removes documents."""
        ...

    async def erase(self, request: selector.EraseRequest, *, timeout: float) -> selector.EraseResponse:
        """Removes all about a subject, or all of a tenant."""
        ...

    async def find_unchanged(
        self, request: selector.FindUnchangedRequest, *, timeout: float
    ) -> selector.FindUnchangedResponse:
        """Says which documents need no work."""
        ...

    async def get_document(
        self, request: selector.GetDocumentRequest, *, timeout: float
    ) -> selector.GetDocumentResponse:
        """Returns a record."""
        ...

    async def list_documents(
        self, request: selector.ListDocumentsRequest, *, timeout: float
    ) -> selector.ListDocumentsResponse:
        """Lists records."""
        ...

    async def get_corpus_version(
        self, request: selector.GetCorpusVersionRequest, *, timeout: float
    ) -> selector.GetCorpusVersionResponse:
        """Returns the version of a corpus."""
        ...

    async def get_stats(self, request: selector.GetStatsRequest, *, timeout: float) -> selector.GetStatsResponse:
        """Counts what a corpus holds."""
        ...


class Compressor(Protocol):
    """The compressor. Every method raises StageError where it has no answer within `timeout` seconds."""

    async def prepare(self, request: compressor.PrepareRequest, *, timeout: float) -> compressor.PrepareResponse:
        """Prepares passages for compression."""
        ...

    async def compress(self, request: compressor.CompressRequest, *, timeout: float) -> compressor.CompressResponse:
        """Shortens passages."""
        ...


class Composer(Protocol):
    """The composer. Raises StageError where it has no answer within `timeout` seconds."""

    async def compose(self, request: composer.ComposeRequest, *, timeout: float) -> composer.ComposeResponse:
        """Writes messages."""
        ...


@dataclass(frozen=True, slots=True)
class Stages:
    """The three stages behind the gateway."""

    selector: Selector
    compressor: Compressor
    composer: Composer


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """A stored reply and the version of the corpus it was built from."""

    reply: bytes
    corpus_version: int


@dataclass(frozen=True, slots=True)
class CacheLookup:
    """What the cache knows of a request."""

    entry: CacheEntry | None
    corpus_version: int | None
    """Version of the tenant's corpus as the cache last heard of it; None where that is too long ago to trust."""


class CacheUnavailableError(Exception):
    """The cache does not answer; requests go on without it."""


class ContextCache(Protocol):
    """Replies by tenant and fingerprint. Every method raises CacheUnavailableError where the cache is away."""

    async def lookup(self, tenant: str, fingerprint: str) -> CacheLookup:
        """Looks up a reply and the corpus version, in one round trip."""
        ...

    async def store(self, tenant: str, fingerprint: str, entry: CacheEntry) -> None:
        """Stores a reply, unless the corpus has moved past it already."""
        ...

    async def publish_version(self, tenant: str, corpus_version: int, *, removed: bool) -> None:
        """Tells every gateway that the corpus is at least at this version: older entries are dead.

        `removed`: something may be gone or replaced since the version before. Then nothing of an older version may be
        used ever again, not even where the present version cannot be learnt.
        """
        ...

    async def erase(self, tenant: str, corpus_version: int) -> int:
        """Publishes a version from which something was removed, then removes all entries of the tenant.

        Returns how many there were. Entries of an older version cannot come back: `store` refuses them from now on.
        """
        ...

    async def forget_history(self) -> None:
        """Has what was removed leave the cache's own log too, where it keeps one and lets us; never raises."""
        ...


class SelectionCache(Protocol):
    """What sources gave, by tenant and key. Every method raises CacheUnavailableError where the cache is away."""

    async def find(self, tenant: str, keys: Sequence[str]) -> list[selector.SelectResponse | None]:
        """Looks selections up, in one round trip.

        None where there is none, or where something was removed from the tenant's corpus or replaced since.
        """
        ...

    async def store(self, tenant: str, selections: Mapping[str, selector.SelectResponse]) -> None:
        """Stores selections of one corpus version, unless something was removed or replaced since."""
        ...
