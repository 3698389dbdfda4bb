"""ContextService: wire to domain and back."""

from typing import cast

from structlog.contextvars import bind_contextvars

from scic.gateway.v1 import context_service_pb2 as pb
from scic.gateway.v1 import context_service_pb2_grpc as rpc
from services.chassis.deadline import DeadlinePolicy
from services.chassis.interceptors import Context, request_id_of
from services.gateway.callers.authentication import current_principal
from services.gateway.compress_text.compression import TextCompression
from services.gateway.contexts.recording import Recording


class ContextServicer(rpc.ContextServiceServicer):
    """Answers BuildContext, PlanContext and CompressText."""

    def __init__(self, contexts: Recording, texts: TextCompression, deadlines: DeadlinePolicy) -> None:
        self._contexts = contexts
        self._texts = texts
        self._deadlines = deadlines

    async def BuildContext(  # noqa: N802 - the name of the RPC
        self, request: pb.BuildContextRequest, context: Context
    ) -> pb.BuildContextResponse:
        """Builds a context."""
        _name(request, context)
        delivery = await self._contexts.build(current_principal(), request, self._deadlines.of(context))
        return cast("pb.BuildContextResponse", delivery)  # it serializes to one

    async def PlanContext(  # noqa: N802 - the name of the RPC
        self, request: pb.PlanContextRequest, context: Context
    ) -> pb.PlanContextResponse:
        """Plans a context."""
        _name(request.context, context)
        return await self._contexts.plan(current_principal(), request.context, self._deadlines.of(context))

    async def CompressText(  # noqa: N802 - the name of the RPC
        self, request: pb.CompressTextRequest, context: Context
    ) -> pb.CompressTextResponse:
        """Shortens a text."""
        return await self._texts.compress(request, self._deadlines.of(context))


def _name(request: pb.BuildContextRequest, context: Context) -> None:
    """Gives the request the name that the logs have, or the logs the name that the request has."""
    if request.request_id:
        bind_contextvars(request_id=request.request_id)
    else:
        request.request_id = request_id_of(context)
