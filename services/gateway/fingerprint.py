"""The cache key of a request: equal keys mean that the same reply is right."""

import hashlib
import unicodedata

from scic.gateway.v1 import context_service_pb2 as pb


def normalise(question: str) -> str:
    """The question as the key sees it: composed characters, white space folded.

    Case stays: "US" and "us" are different questions.
    """
    return " ".join(unicodedata.normalize("NFC", question).split())


def fingerprint(request: pb.BuildContextRequest) -> str:
    """A digest over everything that shapes the reply; the request's id does not.

    The request must be resolved: defaults written out, so that a default and the same value said aloud are equal.
    """
    canonical = pb.BuildContextRequest()
    canonical.CopyFrom(request)
    canonical.question = normalise(request.question)
    canonical.ClearField("request_id")
    return hashlib.blake2b(canonical.SerializeToString(deterministic=True), digest_size=20).hexdigest()
