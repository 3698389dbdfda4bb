"""The client."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from contextlib import suppress
from typing import Self, Unpack

import grpc
import grpc.aio

from scic import errors
from scic.client.cache_methods import CacheMethods
from scic.client.calls import answer
from scic.client.job_methods import JobMethods
from scic.client.ledger_methods import LedgerMethods
from scic.client.own_writes import OwnWrites
from scic.client.policy import CHANNEL_OPTIONS
from scic.client.profile_methods import ProfileMethods
from scic.client.request import ContextOptions, context_request, text_request
from scic.gateway.v1 import cache_service_pb2_grpc as cache_rpc
from scic.gateway.v1 import context_service_pb2 as context
from scic.gateway.v1 import context_service_pb2_grpc as context_rpc
from scic.gateway.v1 import corpus_service_pb2 as corpus
from scic.gateway.v1 import corpus_service_pb2_grpc as corpus_rpc
from scic.gateway.v1 import job_service_pb2_grpc as job_rpc
from scic.gateway.v1 import ledger_service_pb2_grpc as ledger_rpc
from scic.gateway.v1 import profile_service_pb2_grpc as profile_rpc

_ACCEPTED_WITHIN = 5.0
"""Seconds to wait for the word that a stream is accepted; a mesh that does not give it gets the documents then."""

_WRITE_FAILED = "Internal error from Core"


class Client(JobMethods, CacheMethods, ProfileMethods, LedgerMethods):
    """Talks to a mesh; opens its connection with the first call and keeps it.

    Use it as an async context manager, or call `close`. Every method raises `scic.errors.ScicError`, whose `reason` is
    one of `scic.errors.CATALOGUE`; `timeout` is in seconds and by default that of `scic.client.policy`.

    What is away is asked once more. What is full is not (RATE_LIMITED, OVERLOADED, JOB_QUEUE_FULL: code
    RESOURCE_EXHAUSTED): wait `error.retry_after` seconds where it is set, then ask again, with fewer calls at a time.

        async with scic.Client("localhost:8080", api_key="scic_...") as client:
            built = await client.build_context("How do I drain a replica?", max_tokens=2000)
            messages = scic.chat_messages(built.messages)

    Args:
        address: `host:port` of the edge.
        api_key: the key; it names the tenant.
        credentials: for TLS, say `grpc.ssl_channel_credentials()`; without them the connection is in clear.
        read_your_writes: whether no context comes from the cache that was made before this client's own last write.
            Without it one may miss documents for as long as the server says (a minute by default). What others wrote is
            not known here: hand their `corpus_version` to `min_corpus_version`.
    """

    def __init__(
        self,
        address: str,
        *,
        api_key: str,
        credentials: grpc.ChannelCredentials | None = None,
        read_your_writes: bool = True,
    ) -> None:
        if not (api_key.isascii() and api_key.isprintable()):
            raise errors.INVALID_CREDENTIAL.error("the API key has characters that no key has")
        self._metadata = (("authorization", f"Bearer {api_key}"),)
        self._own_writes = OwnWrites(demanded=read_your_writes)
        self._channel = (
            grpc.aio.secure_channel(address, credentials, options=CHANNEL_OPTIONS)
            if credentials
            else grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)
        )
        self._context = context_rpc.ContextServiceStub(self._channel)
        self._corpus = corpus_rpc.CorpusServiceStub(self._channel)
        self._profiles = profile_rpc.ProfileServiceStub(self._channel)
        self._ledger = ledger_rpc.LedgerServiceStub(self._channel)
        self._jobs = job_rpc.JobServiceStub(self._channel)
        self._cache = cache_rpc.CacheServiceStub(self._channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connection; calls under way are cancelled."""
        await self._channel.close()

    @property
    def corpus_version(self) -> int:
        """The newest version of the corpus that writes of this client made, for `min_corpus_version`; 0: none yet."""
        return self._own_writes.version

    async def build_context(
        self,
        question: str,
        *,
        max_tokens: int | None = None,
        timeout: float | None = None,
        **options: Unpack[ContextOptions],
    ) -> context.BuildContextResponse:
        """The best context for a question that fits `max_tokens`, as messages ready for an LLM.

        Without `max_tokens` the profile's holds.
        """
        request = self._context_request(question, max_tokens, options)
        return await answer(self._context.BuildContext(request, metadata=self._metadata, timeout=timeout))

    async def plan_context(
        self,
        question: str,
        *,
        max_tokens: int | None = None,
        timeout: float | None = None,
        **options: Unpack[ContextOptions],
    ) -> context.PlanContextResponse:
        """What `build_context` would do with the same arguments; stores nothing and returns no messages."""
        request = self._context_request(question, max_tokens, options)
        plan = context.PlanContextRequest(context=request)
        return await answer(self._context.PlanContext(plan, metadata=self._metadata, timeout=timeout))

    def _context_request(
        self, question: str, max_tokens: int | None, options: ContextOptions
    ) -> context.BuildContextRequest:
        if self._own_writes.demand:
            options.setdefault("min_corpus_version", self._own_writes.demand)
        return context_request(question, max_tokens=max_tokens, **options)

    async def compress_text(
        self,
        question: str,
        text: str,
        *,
        ratio: float | None = None,
        max_tokens: int | None = None,
        content_type: str = "",
        name: str = "",
        model: str = "",
        pin_patterns: Iterable[str] = (),
        words_only: bool = False,
        prompt_cached: bool = False,
        dry_run: bool = False,
        timeout: float | None = None,
    ) -> context.CompressTextResponse:
        """A text, shortened to what answers a question; give one of `ratio` and `max_tokens`. Nothing is stored.

        Args:
            question: what the text should answer.
            text: at most 262,144 characters.
            ratio: share of the text's tokens that may be left, above 0 to 1.
            max_tokens: tokens that may be left.
            content_type: such as `text/markdown`. Default: by the ending of `name`, else plain text.
            name: name of the text, such as that of its file.
            model: the model whose encoding counts and whose price is used. Default: the server's.
            pin_patterns: RE2 patterns of what must not be maimed, besides numbers, names, negations and the like.
            words_only: faster, and less recall at small ratios.
            prompt_cached: the text stands in the provider's prompt cache: it is left whole where that is cheaper.
            dry_run: spends nothing: no summary by an LLM.
            timeout: seconds; reading 3,000 tokens for their meaning takes about one.
        """
        request = text_request(
            question,
            text,
            ratio=ratio,
            max_tokens=max_tokens,
            content_type=content_type,
            name=name,
            model=model,
            pin_patterns=(pin_patterns,) if isinstance(pin_patterns, str) else pin_patterns,
            words_only=words_only,
            prompt_cached=prompt_cached,
            dry_run=dry_run,
        )
        return await answer(self._context.CompressText(request, metadata=self._metadata, timeout=timeout))

    async def ingest_documents(
        self, documents: AsyncIterable[corpus.DocumentInput] | Iterable[corpus.DocumentInput]
    ) -> AsyncIterator[corpus.IngestDocumentsResponse]:
        """Sends documents and yields a result for each, as it is durable; a bad one does not stop the others.

        Documents are read as fast as the mesh takes them, so an endless or large supply is fine.
        """

        mistakes: list[Exception] = []

        async def requests() -> AsyncIterator[corpus.IngestDocumentsRequest]:
            # A call that is refused while we write would reach us as INTERNAL (grpc's issue 36066).
            with suppress(TimeoutError):
                async with asyncio.timeout(_ACCEPTED_WITHIN):
                    await call.initial_metadata()
            try:
                async for document in _each(documents):
                    if call.done():
                        return
                    yield corpus.IngestDocumentsRequest(document=document)
            except Exception as error:  # noqa: BLE001 - grpc would make a cancellation of it, and its cause be lost
                mistakes.append(error)
                call.cancel()

        call = self._corpus.IngestDocuments(requests(), metadata=self._metadata)
        try:
            async for result in call:
                self._own_writes.note(result.corpus_version)
                yield result
        except (grpc.aio.AioRpcError, asyncio.CancelledError) as error:
            if mistakes:
                raise mistakes[0] from None
            if isinstance(error, asyncio.CancelledError):
                raise
            raise _stream_error(error) from error
        finally:
            call.cancel()

    async def get_document(self, document_id: str, *, timeout: float | None = None) -> corpus.Document:
        """A document's record."""
        request = corpus.GetDocumentRequest(document_id=document_id)
        response = await answer(self._corpus.GetDocument(request, metadata=self._metadata, timeout=timeout))
        return response.document

    async def list_documents(
        self, *, source: str = "", page_size: int = 0, timeout: float | None = None
    ) -> AsyncIterator[corpus.Document]:
        """All records in the order of their ids, page by page as they are wanted; `timeout` is for each page."""
        request = corpus.ListDocumentsRequest(source=source, page_size=page_size)
        while True:
            page = await answer(self._corpus.ListDocuments(request, metadata=self._metadata, timeout=timeout))
            for document in page.documents:
                yield document
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def delete_documents(
        self, document_ids: Iterable[str], *, timeout: float | None = None
    ) -> corpus.DeleteDocumentsResponse:
        """Deletes documents; says which of them existed, and what was removed from where."""
        request = corpus.DeleteDocumentsRequest(document_ids=document_ids)
        response = await answer(self._corpus.DeleteDocuments(request, metadata=self._metadata, timeout=timeout))
        self._own_writes.note(response.corpus_version)
        return response

    async def erase_subject(self, subject: str, *, timeout: float | None = None) -> corpus.EraseSubjectResponse:
        """Erases every document of the tenant that carries a subject, whoever may see it. Needs the role admin.

        When it returns, nothing is left. STAGE_UNAVAILABLE: something may be; call again, which goes on.
        """
        request = corpus.EraseSubjectRequest(subject=subject)
        return await answer(self._corpus.EraseSubject(request, metadata=self._metadata, timeout=timeout))

    async def erase_tenant(self, tenant: str, *, timeout: float | None = None) -> corpus.EraseTenantResponse:
        """Erases all that is stored for the key's own tenant, whose name confirms it. Needs the role admin.

        When it returns, nothing is left. STAGE_UNAVAILABLE: something may be; call again, which goes on.
        """
        request = corpus.EraseTenantRequest(tenant=tenant)
        return await answer(self._corpus.EraseTenant(request, metadata=self._metadata, timeout=timeout))

    async def get_corpus_stats(self, *, timeout: float | None = None) -> corpus.GetCorpusStatsResponse:
        """Counts, by source, of the documents that the key may see."""
        request = corpus.GetCorpusStatsRequest()
        return await answer(self._corpus.GetCorpusStats(request, metadata=self._metadata, timeout=timeout))


async def _each(
    documents: AsyncIterable[corpus.DocumentInput] | Iterable[corpus.DocumentInput],
) -> AsyncIterator[corpus.DocumentInput]:
    if isinstance(documents, AsyncIterable):
        async for document in documents:
            yield document
    else:
        for document in documents:
            yield document


def _stream_error(error: grpc.aio.AioRpcError) -> errors.ScicError:
    if error.code() is grpc.StatusCode.INTERNAL and error.details() == _WRITE_FAILED:
        # grpc.aio puts this in the place of the status with which the stream ended (its issue 36066).
        code = grpc.StatusCode.UNAVAILABLE
        return errors.ScicError(code, code.name, "the stream broke off; send the documents again")
    return errors.from_rpc_error(error)
