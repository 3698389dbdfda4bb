"""What the cache may do for a request."""

from dataclasses import dataclass

from scic.gateway.v1 import cache_pb2
from scic.gateway.v1 import context_service_pb2 as pb
from services.gateway.cache.ports import Freshness
from services.gateway.cache.time_words import time_sensitive

_Directive = cache_pb2.CacheDirective
NotStored = cache_pb2.CacheReport.NotStored
"""Why a reply is not kept."""


@dataclass(frozen=True, slots=True)
class CacheUse:
    """What the cache may do for a request."""

    look: bool
    """Whether a stored reply may answer it."""

    keep: bool
    """Whether its reply may be stored."""

    alone: bool
    """Whether it wants a reply of its own, whoever asks the same at the same time."""

    freshness: Freshness

    not_stored: NotStored.ValueType
    """Why its reply is not stored; unset where it may be."""


_ANY = Freshness()
_WHATEVER = CacheUse(True, True, False, _ANY, NotStored.NOT_STORED_UNSPECIFIED)
"""Of most requests."""


def cache_use(request: pb.BuildContextRequest, *, batch: bool) -> CacheUse:
    """What the cache may do for a request, by its directive and its question, and whether it is of a job."""
    timely = time_sensitive(request.question)
    if not (batch or timely or request.HasField("cache")):
        return _WHATEVER
    directive, freshness = request.cache, _ANY
    if request.HasField("cache"):
        max_age = directive.max_age.ToNanoseconds() / 1e9 if directive.HasField("max_age") else None
        freshness = Freshness(min_corpus_version=directive.min_corpus_version, max_age=max_age)
    if directive.mode == _Directive.MODE_BYPASS:
        return CacheUse(False, False, True, freshness, NotStored.NOT_STORED_DIRECTIVE)
    if timely:
        return CacheUse(False, False, False, freshness, NotStored.NOT_STORED_TIME_SENSITIVE)
    look = directive.mode != _Directive.MODE_REFRESH
    if batch:
        return CacheUse(look, False, False, freshness, NotStored.NOT_STORED_BATCH)
    return CacheUse(look, True, False, freshness, NotStored.NOT_STORED_UNSPECIFIED)


def why_not_stored(built: pb.BuildContextResponse) -> NotStored.ValueType:
    """Why a reply must not be kept, whatever the request says; unset where it may be."""
    if built.isolation.pseudonyms:
        return NotStored.NOT_STORED_PERSONAL
    if built.degradations:
        return NotStored.NOT_STORED_DEGRADED
    if not built.evidence:
        return NotStored.NOT_STORED_THIN
    return NotStored.NOT_STORED_UNSPECIFIED
