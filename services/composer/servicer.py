"""ComposerService: looks the encoding up, composes where it does not hold the loop up."""

from scic import errors
from scic.composer.v1 import composer_service_pb2 as pb
from scic.composer.v1 import composer_service_pb2_grpc as rpc
from services.chassis.interceptors import Context
from services.chassis.work import on_thread
from services.prompt.wire import compose_response
from services.text.tokens import ENCODING_NAMES, UnknownModelError, encoding_for

_LONG_BYTES = 65_536


class ComposerServicer(rpc.ComposerServiceServicer):
    """Answers Compose. Stateless. An ordinary prompt takes two milliseconds, so it is written on the loop."""

    async def Compose(  # noqa: N802 - the name of the RPC
        self, request: pb.ComposeRequest, context: Context
    ) -> pb.ComposeResponse:
        """Writes the prompt."""
        try:
            encoding = encoding_for(request.encoding)
        except UnknownModelError as error:
            raise errors.UNKNOWN_MODEL.error(
                f"encoding {request.encoding!r} is not known",
                metadata={"valid": ", ".join(ENCODING_NAMES)},
                field_violations=[("encoding", f"must be one of: {', '.join(ENCODING_NAMES)}")],
            ) from error
        if request.ByteSize() > _LONG_BYTES:
            return await on_thread(None, compose_response, request, encoding)
        return compose_response(request, encoding)
