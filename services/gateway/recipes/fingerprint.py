"""The cache key of a request: equal keys mean that the same reply is right."""

import hashlib
import unicodedata

import scic
from scic.gateway.v1 import context_service_pb2 as pb
from services.gateway.cache.meaning import meaning_key
from services.gateway.cache.ports import CacheKey
from services.gateway.callers.caller import caller_of
from services.gateway.callers.principal import Principal
from services.gateway.profiles.profile import Profile

_FORMAT = 2
"""Counts up where what is stored under a key changes its form."""

_MOST_DIGESTS = 64

_digests: dict[int, tuple[Profile, bytes]] = {}
"""By the identity of a profile, which no other has as long as it stands here: to write it out takes as long as the
rest of a key."""


def _digest(profile: Profile) -> bytes:
    known = _digests.get(id(profile))
    if known is None:
        if len(_digests) >= _MOST_DIGESTS:
            _digests.clear()
        text = f"{scic.__version__} {_FORMAT} {profile!r}"
        known = _digests[id(profile)] = (profile, hashlib.blake2b(text.encode(), digest_size=32).digest())
    return known[1]


def terms_of(request: pb.BuildContextRequest) -> pb.BuildContextRequest:
    """A copy of what a request asks for: without its id, and without which stored replies will do. Those are the call's
    own, and change nothing of the reply."""
    terms = pb.BuildContextRequest()
    terms.CopyFrom(request)
    terms.ClearField("request_id")
    terms.ClearField("cache")
    return terms


def normalise(question: str) -> str:
    """The question as the key sees it: composed characters, white space folded.

    Case stays: "US" and "us" are different questions.
    """
    return " ".join(unicodedata.normalize("NFC", question).split())


def cache_key(
    request: pb.BuildContextRequest, profile: Profile, principal: Principal, *, semantic: bool = False
) -> CacheKey:
    """Digests over everything that shapes the reply; with `semantic` one more, over the question's meaning.

    What the caller may see shapes it: a reply is shared only by callers that may see the same.

    The request must be resolved: defaults written out, so that a default and the same value said aloud are equal. The
    whole profile counts, not its name: after a change of its instructions old replies are of another recipe.
    """
    terms = terms_of(request)
    # It decides which version of the profile answers, and nothing else.
    terms.ClearField("conversation_id")
    terms.question = normalise(request.question)
    exact = hashlib.blake2b(digest_size=20, key=_digest(profile))
    visible = caller_of(principal).SerializeToString(deterministic=True)
    exact.update(len(visible).to_bytes(4))
    exact.update(visible)
    by_meaning = exact.copy()
    exact.update(terms.SerializeToString(deterministic=True))
    meaning = meaning_key(terms.question) if semantic else ""
    if not meaning:
        return CacheKey(exact.hexdigest())
    terms.question = meaning
    by_meaning.update(b"meaning")
    by_meaning.update(terms.SerializeToString(deterministic=True))
    return CacheKey(exact.hexdigest(), by_meaning.hexdigest())
