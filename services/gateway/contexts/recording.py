"""Contexts whose every request goes into the ledger, and recorded requests that are run again."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from google.protobuf.timestamp_pb2 import Timestamp

from scic import errors
from scic.gateway.v1 import context_service_pb2 as pb
from scic.gateway.v1 import ledger_service_pb2 as records
from services.chassis.deadline import Deadline
from services.gateway.callers.principal import Principal
from services.gateway.contexts.contexts import Contexts
from services.gateway.contexts.delivery import Delivery
from services.gateway.ledger.ports import Ledger


@dataclass(frozen=True, slots=True)
class Recording:
    """Answers requests by `contexts`, and hands each to the ledger when it is over."""

    contexts: Contexts
    ledger: Ledger
    clock: Callable[[], float]
    """Seconds, for durations."""

    new_id: Callable[[], str]
    """Names for records."""

    async def build(self, principal: Principal, request: pb.BuildContextRequest, deadline: Deadline) -> Delivery:
        """The context for a request. Raises ScicError for a request that cannot be answered."""
        start = self.clock()
        # Until the guard has read it, nothing of what the request says may be kept.
        shown = pb.BuildContextRequest(request_id=request.request_id, max_tokens=request.max_tokens)
        record = records.Record(record_id=self.new_id(), key_id=principal.key_id, create_time=_now())
        common = b""
        try:
            self.contexts.check_room(principal)
            recipe = await self.contexts.resolve(principal, request)
            shown = recipe.shown
            deadline = deadline.or_default(recipe.profile.deadline_seconds)
            delivery = await self.contexts.build(principal, recipe, deadline)
        except asyncio.CancelledError:
            left = errors.DEADLINE_EXCEEDED.error("the caller left, or its time ran out")
            record.error.CopyFrom(errors.to_status(left))
            raise
        except Exception as error:
            known = error if isinstance(error, errors.ScicError) else errors.INTERNAL.error("a bug of the service")
            record.error.CopyFrom(errors.to_status(known))
            raise
        else:
            if self.ledger.keeps:
                delivery.own.record_id = record.record_id
                record.response.CopyFrom(delivery.own)
                if delivery.own.isolation.pseudonyms:
                    record.response.isolation.ClearField("pseudonyms")
                common = delivery.packed
            return delivery
        finally:
            if self.ledger.keeps:
                record.request.CopyFrom(shown)
                record.duration.FromNanoseconds(int((self.clock() - start) * 1e9))
                self.ledger.record(principal, record, common)

    async def plan(
        self, principal: Principal, request: pb.BuildContextRequest, deadline: Deadline
    ) -> pb.PlanContextResponse:
        """What `build` would do now; nothing is stored, and nothing recorded."""
        recipe = await self.contexts.resolve(principal, request)
        return await self.contexts.plan(principal, recipe, deadline.or_default(recipe.profile.deadline_seconds))

    async def replay(
        self, principal: Principal, record: records.Record, profile: str, present_corpus: bool, deadline: Deadline
    ) -> pb.BuildContextResponse:
        """The context that a recorded request would get now, by another profile or its own version.

        Raises ScicError CORPUS_VERSION_GONE where the corpus has changed since, unless `present_corpus`.
        """
        request, recorded = pb.BuildContextRequest(), record.response
        request.CopyFrom(record.request)
        if not request.question:
            raise errors.INVALID_FIELD.error(
                "the request failed before its text could be kept, so it cannot be run again",
                field_violations=[("record_id", "must be of a request whose text was kept")],
            )
        version = f"{recorded.profile}@{recorded.profile_version}" if recorded.profile_version else recorded.profile
        request.profile = profile or version or request.profile
        recipe = await self.contexts.resolve(principal, request, default_max_tokens=recorded.tokens.max_tokens)
        if not profile and recorded.profile and recipe.profile.version != recorded.profile_version:
            raise errors.UNKNOWN_PROFILE.error(
                f"the request followed the built-in {recorded.profile}, in whose place another was published since",
                metadata={"valid": version},
                field_violations=[("profile", "must be named, since the recorded one is gone")],
            )
        deadline = deadline.or_default(recipe.profile.deadline_seconds)
        rebuilt = await self.contexts.rebuild(principal, recipe, deadline)
        if not profile:
            # How the request came to its version, and whether somebody had asked before, is nothing that would change.
            rebuilt.profile_label, rebuilt.cache = recorded.profile_label, recorded.cache
        if recorded.corpus_version not in {0, rebuilt.corpus_version} and not present_corpus:
            raise errors.CORPUS_VERSION_GONE.error(
                f"the request searched version {recorded.corpus_version} of the corpus, which is at "
                f"{rebuilt.corpus_version} now",
                metadata={"recorded": str(recorded.corpus_version), "present": str(rebuilt.corpus_version)},
                field_violations=[("record_id", "must be of the present corpus, unless present_corpus is set")],
            )
        return rebuilt


def _now() -> Timestamp:
    # A third of what GetCurrentTime takes, which goes by way of a datetime.
    seconds, nanos = divmod(time.time_ns(), 1_000_000_000)
    return Timestamp(seconds=seconds, nanos=nanos)
