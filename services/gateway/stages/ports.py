"""What the gateway needs of its stages."""

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
