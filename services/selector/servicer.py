"""SelectorService: check, call the domain, map, return."""

from collections.abc import Iterator
from contextlib import contextmanager

from scic import errors
from scic.selector.v1 import selector_service_pb2 as pb
from scic.selector.v1 import selector_service_pb2_grpc as rpc
from services.chassis.interceptors import Context
from services.chassis.logs import get_logger
from services.selector import wire
from services.selector.embedding.embedder import EmbedderUnavailableError
from services.selector.errors import (
    CorruptCorpusError,
    DocumentForbiddenError,
    EmbeddingModelMismatchError,
    InvalidDocumentError,
    InvalidPageTokenError,
    StoreError,
    UnknownFilterKeyError,
    UnsupportedSchemaError,
)
from services.selector.finder import Finder
from services.selector.indexer import Indexer
from services.selector.passage import EmbeddingModel
from services.selector.ports import Store

_log = get_logger(__name__)

_NAMED = 1_000
"""Ids of erased documents that a reply names."""

_CAUSE = 160
"""Characters of a cause that a log line takes; the store's messages name files and conditions, never text."""


class SelectorServicer(rpc.SelectorServiceServicer):
    """Answers for the corpora of all tenants."""

    def __init__(self, store: Store, finder: Finder, indexer: Indexer, prepared_by: EmbeddingModel) -> None:
        self._store = store
        self._finder = finder
        self._indexer = indexer
        self._prepared_by = prepared_by

    async def Select(  # noqa: N802 - the name of the RPC
        self, request: pb.SelectRequest, context: Context
    ) -> pb.SelectResponse:
        """Finds passages."""
        conditions = wire.conditions(request)
        with _store_errors():
            try:
                found = await self._finder.find(
                    request.tenant,
                    request.question,
                    wire.source_queries(request),
                    conditions,
                    wire.caller(request.caller),
                )
            except UnknownFilterKeyError as error:
                at = next(index for index, condition in enumerate(conditions) if condition.key == error.key)
                raise errors.UNKNOWN_FILTER_KEY.error(
                    str(error), field_violations=[(f"filter[{at}].key", "must be a metadata key of some document")]
                ) from error
        return pb.SelectResponse(
            passages=[wire.scored_passage(passage) for passage in found.selection.passages],
            question_vector=found.question_vector.astype("<f4").tobytes(),
            corpus_version=found.selection.corpus_version,
            sources=wire.source_outcomes(found.selection),
        )

    async def Index(  # noqa: N802 - the name of the RPC
        self, request: pb.IndexRequest, context: Context
    ) -> pb.IndexResponse:
        """Stores documents, durably."""
        if request.embedding_model != self._prepared_by.model_id:
            raise errors.MODEL_MISMATCH.error(
                "the passages were prepared by another model than this selector runs",
                metadata={"stored": request.embedding_model, "running": self._prepared_by.model_id},
            )
        with _store_errors():
            documents = [wire.indexed_document(message, self._prepared_by.dimension) for message in request.documents]
            written = await self._indexer.index(request.tenant, documents, wire.caller(request.caller))
        return pb.IndexResponse(
            corpus_version=written.corpus_version,
            replaced_count=written.replaced_count,
            previous_version=written.previous_version,
        )

    async def Delete(  # noqa: N802 - the name of the RPC
        self, request: pb.DeleteRequest, context: Context
    ) -> pb.DeleteResponse:
        """Removes documents."""
        with _store_errors():
            removal = await self._store.delete(request.tenant, request.document_ids, wire.caller(request.caller))
        return pb.DeleteResponse(
            deleted_document_ids=removal.document_ids,
            corpus_version=removal.corpus_version,
            passage_count=removal.passage_count,
            previous_version=removal.previous_version,
        )

    async def Erase(  # noqa: N802 - the name of the RPC
        self, request: pb.EraseRequest, context: Context
    ) -> pb.EraseResponse:
        """Removes all about a subject, or all of a tenant."""
        with _store_errors():
            if request.everything:
                removal = await self._store.erase_tenant(request.tenant)
            else:
                removal = await self._store.erase_subject(request.tenant, request.subject)
        return pb.EraseResponse(
            deleted_document_ids=removal.document_ids[:_NAMED],
            document_count=len(removal.document_ids),
            passage_count=removal.passage_count,
            corpus_version=removal.corpus_version,
            previous_version=removal.previous_version,
        )

    async def FindUnchanged(  # noqa: N802 - the name of the RPC
        self, request: pb.FindUnchangedRequest, context: Context
    ) -> pb.FindUnchangedResponse:
        """Says which documents need no work."""
        fingerprints = [(item.document_id, item.content_hash) for item in request.fingerprints]
        with _store_errors():
            unchanged = await self._store.unchanged(request.tenant, fingerprints, wire.caller(request.caller))
            # Read after the documents, so it is not older than what holds them.
            version = await self._store.corpus_version(request.tenant)
        return pb.FindUnchangedResponse(
            corpus_version=version,
            unchanged=[
                pb.FindUnchangedResponse.Unchanged(document_id=document_id, passage_count=count)
                for document_id, count in unchanged.items()
            ],
        )

    async def GetDocument(  # noqa: N802 - the name of the RPC
        self, request: pb.GetDocumentRequest, context: Context
    ) -> pb.GetDocumentResponse:
        """Returns a record."""
        with _store_errors():
            document = await self._store.get(request.tenant, request.document_id, wire.caller(request.caller))
        if document is None:
            raise errors.DOCUMENT_NOT_FOUND.error(f"there is no document {request.document_id[:128]!r}")
        return pb.GetDocumentResponse(record=wire.document_record(document))

    async def ListDocuments(  # noqa: N802 - the name of the RPC
        self, request: pb.ListDocumentsRequest, context: Context
    ) -> pb.ListDocumentsResponse:
        """Lists records."""
        try:
            with _store_errors():
                page = await self._store.list(
                    request.tenant,
                    wire.caller(request.caller),
                    source=request.source,
                    page_token=request.page_token,
                    page_size=request.page_size,
                )
        except InvalidPageTokenError as error:
            raise errors.INVALID_FIELD.error(str(error), field_violations=[("page_token", str(error))]) from error
        return pb.ListDocumentsResponse(
            records=[wire.document_record(document) for document in page.documents],
            next_page_token=page.next_page_token,
        )

    async def GetCorpusVersion(  # noqa: N802 - the name of the RPC
        self, request: pb.GetCorpusVersionRequest, context: Context
    ) -> pb.GetCorpusVersionResponse:
        """Returns the version of a tenant's corpus."""
        with _store_errors():
            version = await self._store.corpus_version(request.tenant)
        return pb.GetCorpusVersionResponse(corpus_version=version)

    async def GetStats(  # noqa: N802 - the name of the RPC
        self, request: pb.GetStatsRequest, context: Context
    ) -> pb.GetStatsResponse:
        """Counts."""
        with _store_errors():
            found = await self._store.stats(request.tenant, wire.caller(request.caller))
        return wire.stats(found)


@contextmanager
def _store_errors() -> Iterator[None]:
    """Gives the store's errors their place in the catalogue."""
    try:
        yield
    except (CorruptCorpusError, UnsupportedSchemaError) as error:
        _log.error("corpus_unreadable", tenant=error.tenant, cause=str(error)[:_CAUSE])
        raise errors.CORRUPT_CORPUS.error("the tenant's corpus cannot be read; nothing of it was changed") from error
    except EmbeddingModelMismatchError as error:
        raise errors.MODEL_MISMATCH.error(
            str(error), metadata={"stored": str(error.stored), "running": str(error.given)}
        ) from error
    except InvalidDocumentError as error:
        raise errors.INVALID_FIELD.error(str(error), field_violations=[("documents", str(error))]) from error
    except DocumentForbiddenError as error:
        raise errors.DOCUMENT_FORBIDDEN.error(
            "the id belongs to a document whose groups the caller is not in",
            field_violations=[("documents", "must not name documents that the caller may not see")],
        ) from error
    except (StoreError, EmbedderUnavailableError) as error:
        _log.error("store_failed", cause=str(error)[:_CAUSE])
        raise errors.STAGE_UNAVAILABLE.error(
            "the store, or the model of its vectors, does not answer", metadata={"stage": "selector"}, retry_after=1.0
        ) from error
