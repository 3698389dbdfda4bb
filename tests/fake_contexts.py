"""Contexts on fakes, wired as the gateway does it."""

import time
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import uuid4

from services.chassis.deadline import DeadlinePolicy
from services.gateway.admission.build_gate import BuildGate
from services.gateway.building.builder import ContextBuilder
from services.gateway.cache.corpus_versions import CorpusVersions
from services.gateway.contexts.contexts import Contexts
from services.gateway.flight.flights import Flights
from services.gateway.guard.guard import Guard
from services.gateway.profiles.ports import Profiles
from tests.fake_cache import FakeCache
from tests.fakes import FakeSelector

DEADLINES = DeadlinePolicy(10, 60)


def contexts_of(
    builder: ContextBuilder,
    *,
    cache: FakeCache,
    selector: FakeSelector,
    profiles: Profiles,
    guard: Guard,
    spawn: Callable[[Coroutine[Any, Any, None]], None],
) -> Contexts:
    """Contexts with the semantic tier on."""
    return Contexts(
        builder=builder,
        gate=BuildGate(64),
        cache=cache,
        versions=CorpusVersions(selector, cache),
        flights=Flights(cache, cache.signals, lambda: uuid4().hex),
        profiles=profiles,
        guard=guard,
        deadlines=DEADLINES,
        spawn=spawn,
        clock=time.monotonic,
        semantic=True,
    )
