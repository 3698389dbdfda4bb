"""CompressorService: wire to domain and back."""

import numpy as np

from scic import errors
from scic.compressor.v1 import compressor_service_pb2 as pb
from scic.compressor.v1 import compressor_service_pb2_grpc as rpc
from scic.type.v1 import source_pb2
from services.chassis.interceptors import Context
from services.chassis.logs import get_logger
from services.compressor.preparation import Preparation, RawPassage
from services.text.tokens import ENCODING_NAMES, UnknownModelError, encoding_for

_log = get_logger(__name__)

_KINDS = {
    source_pb2.SOURCE_KIND_DOCS: "docs",
    source_pb2.SOURCE_KIND_CODE: "code",
    source_pb2.SOURCE_KIND_HISTORY: "history",
}


class CompressorServicer(rpc.CompressorServiceServicer):
    """Answers Prepare and Compress. Stateless."""

    def __init__(self, preparation: Preparation) -> None:
        self._preparation = preparation

    async def Prepare(  # noqa: N802 - the name of the RPC
        self, request: pb.PrepareRequest, context: Context
    ) -> pb.PrepareResponse:
        """Prepares passages."""
        passages = [
            RawPassage(" > ".join(passage.title_path), passage.text, _KINDS[passage.kind])
            for passage in request.passages
        ]
        return pb.PrepareResponse(
            passages=[
                pb.PreparedPassage(prepared=prepared.signals, vector=prepared.vector)
                for prepared in await self._preparation.prepare(passages)
            ],
            embedding_model=self._preparation.model_id,
        )
