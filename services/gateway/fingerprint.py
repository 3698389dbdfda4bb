"""The cache key of a request: equal keys mean that the same reply is right."""

import hashlib
import unicodedata
from functools import lru_cache

import scic
from scic.gateway.v1 import context_service_pb2 as pb
from services.gateway.caller import caller_of
from services.gateway.principal import Principal
from services.gateway.profile import Profile


@lru_cache(64)
def _digest(profile: str) -> bytes:
    return hashlib.blake2b(f"{scic.__version__} {profile}".encode(), digest_size=32).digest()


def normalise(question: str) -> str:
    """The question as the key sees it: composed characters, white space folded.

    Case stays: "US" and "us" are different questions.
    """
    return " ".join(unicodedata.normalize("NFC", question).split())


def fingerprint(request: pb.BuildContextRequest, profile: Profile, principal: Principal) -> str:
    """A digest over everything that shapes the reply; the request's id does not.

    What the caller may see does: a reply is shared only by callers that may see the same.

    The request must be resolved: defaults written out, so that a default and the same value said aloud are equal. The
    whole profile counts, not its name: after a change of its instructions old replies are of another recipe.
    """
    canonical = pb.BuildContextRequest()
    canonical.CopyFrom(request)
    canonical.question = normalise(request.question)
    canonical.ClearField("request_id")
    # It decides which version of the profile answers, and nothing else.
    canonical.ClearField("conversation_id")
    # Which replies will do changes nothing of the reply.
    canonical.ClearField("cache")
    digest = hashlib.blake2b(digest_size=20, key=_digest(repr(profile)))
    visible = caller_of(principal).SerializeToString(deterministic=True)
    digest.update(len(visible).to_bytes(4))
    digest.update(visible)
    digest.update(canonical.SerializeToString(deterministic=True))
    return digest.hexdigest()
