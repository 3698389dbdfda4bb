"""Facts of replies that were recorded of late, so that what many get is not unpacked and read for each batch."""

from collections import OrderedDict
from hashlib import blake2b
from typing import Final

from scic.gateway.v1 import context_service_pb2 as context
from services.gateway.cache.packing import unpack
from services.gateway.ledger.summary import Facts, facts_of

_MOST: Final = 1_024


class KnownFacts:
    """Facts by the digest of a packed reply: of the reply itself digests of documents are kept. For one thread."""

    def __init__(self) -> None:
        self._facts: OrderedDict[bytes, Facts] = OrderedDict()

    def of(self, packed: bytes) -> Facts:
        """The facts of a reply that is packed."""
        digest = blake2b(packed, digest_size=16).digest()
        if digest in self._facts:
            self._facts.move_to_end(digest)
            return self._facts[digest]
        facts = facts_of(context.BuildContextResponse.FromString(unpack(packed)))
        self._facts[digest] = facts
        if len(self._facts) > _MOST:
            self._facts.popitem(last=False)
        return facts
