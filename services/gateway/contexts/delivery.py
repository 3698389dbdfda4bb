"""A reply on its way to one caller."""

from scic.gateway.v1 import context_service_pb2 as pb
from services.gateway.cache.stored_reply import StoredReply


class Delivery:
    """What all callers get of a reply, as it lies in the cache, and behind it what is this caller's own.

    Messages that stand one behind the other are one to whoever reads them: of a field that both have the later holds
    (https://protobuf.dev/programming-guides/encoding/#last-one-wins). So what the cache has is passed on as it is.
    """

    __slots__ = ("_common", "own")

    def __init__(self, own: pb.BuildContextResponse, common: StoredReply | None = None) -> None:
        """Without `common`, `own` is the whole reply."""
        self.own = own
        """What is set here holds."""
        self._common = common

    @property
    def message(self) -> pb.BuildContextResponse:
        """The whole reply."""
        return pb.BuildContextResponse.FromString(self.SerializeToString()) if self._common else self.own

    @property
    def packed(self) -> bytes:
        """What all callers get, as it lies in the cache; empty where `own` is the whole reply."""
        return self._common.packed if self._common else b""

    def SerializeToString(self) -> bytes:  # noqa: N802 - as messages have it, so that it may be a handler's response
        """The whole reply."""
        own = self.own.SerializeToString()
        return self._common.serialized + own if self._common else own
