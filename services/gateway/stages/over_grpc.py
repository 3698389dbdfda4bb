"""The three stages over gRPC, through the sidecar: a breaker each, deadlines and the request's id passed on, no retry
(the sidecar retries, since it knows another replica)."""

import asyncio
from collections.abc import Awaitable, Mapping
from types import MappingProxyType
from typing import TypeVar

import grpc
from grpc.aio import AioRpcError, Channel, UnaryUnaryMultiCallable

from scic import errors
from scic.composer.v1 import composer_service_pb2 as composer
from scic.composer.v1 import composer_service_pb2_grpc as composer_rpc
from scic.compressor.v1 import compressor_service_pb2 as compressor
from scic.compressor.v1 import compressor_service_pb2_grpc as compressor_rpc
from scic.selector.v1 import selector_service_pb2 as selector
from scic.selector.v1 import selector_service_pb2_grpc as selector_rpc
from services.chassis.breaker import Breaker, BreakerOpenError
from services.chassis.channel import outgoing_metadata
from services.chassis.deadline import FAIR_SECONDS, Deadline
from services.chassis.logs import get_logger
from services.gateway.stages.stage_error import StageError

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")

_AWAY: Mapping[grpc.StatusCode, str] = MappingProxyType(
    {
        grpc.StatusCode.UNAVAILABLE: errors.STAGE_UNAVAILABLE.name,
        # The stage, or a proxy, was stopped under the call; where our own caller left, nobody sees this.
        grpc.StatusCode.CANCELLED: errors.STAGE_UNAVAILABLE.name,
        grpc.StatusCode.DEADLINE_EXCEEDED: errors.DEADLINE_EXCEEDED.name,
        grpc.StatusCode.RESOURCE_EXHAUSTED: errors.STAGE_UNAVAILABLE.name,
        grpc.StatusCode.INTERNAL: errors.INTERNAL.name,
        grpc.StatusCode.UNKNOWN: errors.INTERNAL.name,
        grpc.StatusCode.UNIMPLEMENTED: errors.NOT_IMPLEMENTED.name,
    }
)
"""Codes that say something about the stage, not about the request, and the reason that a degradation gives."""

_TRIAL_SHARE = 0.25
"""Part of a call's time that it waits for another to find out whether the stage is back."""

_HURRIED_IN_A_ROW = 20
"""So many callers in a hurry, with nobody getting an answer between them, say something about the stage after all."""

_TELLING_SECONDS = 0.1
"""Who gave it less time than this is none of them."""

_log = get_logger(__name__)


class _Stage:
    """What the clients of all stages share."""

    def __init__(self, name: str, breaker: Breaker) -> None:
        self._name = name
        self._breaker = breaker
        self._hurried = 0
        """Callers in a hurry that got no answer, since anybody last did."""

    async def _call(
        self,
        method: UnaryUnaryMultiCallable[_Request, _Response],
        request: _Request,
        timeout: float,
        *,
        vouched: bool = False,
    ) -> _Response:
        """With `vouched` others hear of what the stage itself says of what lies behind it, and its breaker does not."""
        deadline = Deadline.after(timeout)
        try:
            await self._breaker.trial_over(timeout * _TRIAL_SHARE)
            with self._breaker.calling() as verdict:
                try:
                    response = await _uncancelled(
                        method(request, timeout=deadline.remaining(), metadata=outgoing_metadata())
                    )
                except AioRpcError as error:
                    speaks = not (vouched and _is_its_own_word(error))
                    verdict.counts = speaks and not self._is_hurried(error, timeout)
                    raise
                self._hurried = 0
                return response
        except BreakerOpenError as error:
            raise StageError(self._name, errors.STAGE_UNAVAILABLE.name) from error
        except AioRpcError as error:
            if reason := _AWAY.get(error.code()):
                if reason != errors.DEADLINE_EXCEEDED.name or timeout >= FAIR_SECONDS:
                    _log.warning("stage_failed", stage=self._name, code=error.code().name, detail=error.details())
                raise StageError(self._name, reason, answered=_is_its_own_word(error)) from error
            raise errors.from_rpc_error(error) from error

    def _is_hurried(self, error: AioRpcError, timeout: float) -> bool:
        """Whether only the caller is to blame: of one in a hurry the breaker must not hear, but of many that are."""
        if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
            self._hurried = 0
            return False
        if _TELLING_SECONDS <= timeout < FAIR_SECONDS:
            self._hurried += 1
            return self._hurried < _HURRIED_IN_A_ROW
        return timeout < FAIR_SECONDS


async def _uncancelled(call: Awaitable[_Response]) -> _Response:
    """What a call answers. grpc.aio drops the cancellation of a call that has just ended; here it stands."""
    task = asyncio.current_task()
    assert task is not None, "coroutines of the gateway run in tasks"
    before = task.cancelling()
    response = await call
    if task.cancelling() > before:
        raise asyncio.CancelledError
    return response


def _is_its_own_word(error: AioRpcError) -> bool:
    """Whether a stage was there to say that what lies behind it is away; a proxy has no reason of ours."""
    return errors.from_rpc_error(error).reason == errors.STAGE_UNAVAILABLE.name


class SelectorClient(_Stage):
    """See ports.Selector."""

    def __init__(self, channel: Channel, breaker: Breaker) -> None:
        super().__init__("selector", breaker)
        self._stub = selector_rpc.SelectorServiceStub(channel)

    async def select(self, request: selector.SelectRequest, *, timeout: float) -> selector.SelectResponse:
        """Finds passages."""
        # That none of the sources answers is heard by their breakers.
        return await self._call(self._stub.Select, request, timeout, vouched=True)

    async def index(self, request: selector.IndexRequest, *, timeout: float) -> selector.IndexResponse:
        """Stores documents, durably."""
        return await self._call(self._stub.Index, request, timeout)

    async def delete(self, request: selector.DeleteRequest, *, timeout: float) -> selector.DeleteResponse:
        """Removes documents."""
        return await self._call(self._stub.Delete, request, timeout)

    async def erase(self, request: selector.EraseRequest, *, timeout: float) -> selector.EraseResponse:
        """Removes all about a subject, or all of a tenant."""
        return await self._call(self._stub.Erase, request, timeout)

    async def find_unchanged(
        self, request: selector.FindUnchangedRequest, *, timeout: float
    ) -> selector.FindUnchangedResponse:
        """Says which documents need no work."""
        return await self._call(self._stub.FindUnchanged, request, timeout)

    async def get_document(
        self, request: selector.GetDocumentRequest, *, timeout: float
    ) -> selector.GetDocumentResponse:
        """Returns a record."""
        return await self._call(self._stub.GetDocument, request, timeout)

    async def list_documents(
        self, request: selector.ListDocumentsRequest, *, timeout: float
    ) -> selector.ListDocumentsResponse:
        """Lists records."""
        return await self._call(self._stub.ListDocuments, request, timeout)

    async def get_corpus_version(
        self, request: selector.GetCorpusVersionRequest, *, timeout: float
    ) -> selector.GetCorpusVersionResponse:
        """Returns the version of a corpus."""
        return await self._call(self._stub.GetCorpusVersion, request, timeout)

    async def get_stats(self, request: selector.GetStatsRequest, *, timeout: float) -> selector.GetStatsResponse:
        """Counts what a corpus holds."""
        return await self._call(self._stub.GetStats, request, timeout)


class CompressorClient(_Stage):
    """See ports.Compressor."""

    def __init__(self, channel: Channel, breaker: Breaker) -> None:
        super().__init__("compressor", breaker)
        self._stub = compressor_rpc.CompressorServiceStub(channel)

    async def prepare(self, request: compressor.PrepareRequest, *, timeout: float) -> compressor.PrepareResponse:
        """Prepares passages for compression."""
        return await self._call(self._stub.Prepare, request, timeout)

    async def compress(self, request: compressor.CompressRequest, *, timeout: float) -> compressor.CompressResponse:
        """Shortens passages."""
        return await self._call(self._stub.Compress, request, timeout)


class ComposerClient(_Stage):
    """See ports.Composer."""

    def __init__(self, channel: Channel, breaker: Breaker) -> None:
        super().__init__("composer", breaker)
        self._stub = composer_rpc.ComposerServiceStub(channel)

    async def compose(self, request: composer.ComposeRequest, *, timeout: float) -> composer.ComposeResponse:
        """Writes messages."""
        return await self._call(self._stub.Compose, request, timeout)
