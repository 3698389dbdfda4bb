"""SelectorService: check, call the domain, map, return."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from scic import errors
from scic.selector.v1 import selector_service_pb2 as pb
from scic.selector.v1 import selector_service_pb2_grpc as rpc
from services.chassis.interceptors import Context
from services.chassis.logs import get_logger
from services.selector import wire
from services.selector.errors import (
    CorruptCorpusError,
    EmbeddingModelMismatchError,
    InvalidDocumentError,
    InvalidPageTokenError,
    StoreError,
    UnsupportedSchemaError,
)
from services.selector.indexing import question_terms
from services.selector.passage import EmbeddingModel
from services.selector.ports import Store
from services.selector.query import Query
from services.selector.question_encoder import QuestionEncoder
from services.selector.selection import rank

_log = get_logger(__name__)

_CAUSE = 160
"""Characters of a cause that a log line takes; the store's messages name files and conditions, never text."""


class SelectorServicer(rpc.SelectorServiceServicer):
    """Answers for the corpora of all tenants."""

    def __init__(self, store: Store, questions: QuestionEncoder) -> None:
        self._store = store
        self._questions = questions

    async def Select(  # noqa: N802 - the name of the RPC
        self, request: pb.SelectRequest, context: Context
    ) -> pb.SelectResponse:
        """Finds passages."""
        start = time.perf_counter()
        vector = await self._questions.encode(request.question)
        query = Query(
            terms=question_terms(request.question),
            vector=vector,
            model_id=self._questions.model.model_id,
            sources=wire.source_queries(request),
            conditions=wire.conditions(request),
        )
        with _store_errors():
            selection = await self._store.search(request.tenant, query, rank)
        response = pb.SelectResponse(
            passages=[wire.scored_passage(found) for found in selection.passages],
            question_vector=vector.astype("<f4").tobytes(),
            corpus_version=selection.corpus_version,
        )
        # One search covers all sources of the embedded store, so they share its duration.
        counts = Counter(found.passage.document.source for found in selection.passages)
        for source in request.sources:
            outcome = response.sources.add(source=source.source, passage_count=counts[source.source])
            outcome.duration.FromNanoseconds(int((time.perf_counter() - start) * 1e9))
        return response

    async def Index(  # noqa: N802 - the name of the RPC
        self, request: pb.IndexRequest, context: Context
    ) -> pb.IndexResponse:
        """Stores documents, durably."""
        model = self._questions.model
        with _store_errors():
            documents = [wire.indexed_document(document, model.dimension) for document in request.documents]
            version = await self._store.index(
                request.tenant, documents, EmbeddingModel(request.embedding_model, model.dimension)
            )
        return pb.IndexResponse(corpus_version=version)

    async def Delete(  # noqa: N802 - the name of the RPC
        self, request: pb.DeleteRequest, context: Context
    ) -> pb.DeleteResponse:
        """Removes documents."""
        with _store_errors():
            deleted, version = await self._store.delete(request.tenant, request.document_ids)
        return pb.DeleteResponse(deleted_document_ids=deleted, corpus_version=version)

    async def FindUnchanged(  # noqa: N802 - the name of the RPC
        self, request: pb.FindUnchangedRequest, context: Context
    ) -> pb.FindUnchangedResponse:
        """Says which documents need no work."""
        fingerprints = [(item.document_id, item.content_hash) for item in request.fingerprints]
        with _store_errors():
            unchanged = await self._store.unchanged(request.tenant, fingerprints)
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
            document = await self._store.get(request.tenant, request.document_id)
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
                    request.tenant, source=request.source, page_token=request.page_token, page_size=request.page_size
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
    except StoreError as error:
        _log.error("store_failed", cause=str(error)[:_CAUSE])
        raise errors.STAGE_UNAVAILABLE.error(
            "the store does not answer", metadata={"stage": "selector"}, retry_after=1.0
        ) from error
