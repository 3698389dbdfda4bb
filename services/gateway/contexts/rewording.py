"""Fits a reply that was made for others to the caller's own wording of the question."""

from functools import lru_cache

from scic.gateway.v1 import context_service_pb2 as pb
from scic.type.v1 import message_pb2
from services.gateway.cache.stored_reply import StoredReply
from services.gateway.contexts.delivery import Delivery
from services.gateway.recipes.recipe import Recipe
from services.prompt.defuse import defuse_speech


def common(built: pb.BuildContextResponse) -> bytes:
    """What others may have of a reply, serialized: without what holds for its first caller alone."""
    shared = pb.BuildContextResponse()
    shared.CopyFrom(built)
    _make_common(shared)
    return shared.SerializeToString()


def deliver(stored: StoredReply, recipe: Recipe, *, exact: bool = True) -> Delivery | None:
    """What `common` made, as this caller should get it; None where `reword` gives none.

    Most callers use the words that are stored; then it need not be read, which would take as long as all the rest. That
    is looked for in the bytes, where a document might imitate it: so only of an `exact` hit, whose question is this
    caller's but for white space.
    """
    if exact and _as_stored(recipe.shown.question) in stored.serialized:
        return Delivery(_own(pb.BuildContextResponse(), recipe), stored)
    reworded = reword(pb.BuildContextResponse.FromString(stored.serialized), recipe)
    return reworded and Delivery(reworded)


@lru_cache(1024)
def _as_stored(question: str) -> bytes:
    """How the question stands in a stored reply, serialized."""
    content = defuse_speech(question).text
    message = message_pb2.Message(role=message_pb2.ROLE_USER, content=content, section=message_pb2.SECTION_QUESTION)
    return pb.BuildContextResponse(messages=[message]).SerializeToString()


def reword(stored: pb.BuildContextResponse, recipe: Recipe) -> pb.BuildContextResponse | None:
    """The stored reply as this caller should get it; None where his wording would not fit the budget.

    Questions that differ in white space share an entry. The question is a message of its own, the last one, so its
    tokens can be exchanged exactly; the body of a provider's request cannot. Changes `stored` in place.
    """
    question = defuse_speech(recipe.shown.question).text
    if stored.messages[-1].content != question:
        if stored.rendered:
            return None
        stored.messages[-1].content = question
        section = next(s for s in stored.tokens.sections if s.section == message_pb2.SECTION_QUESTION)
        change = recipe.encoding.count(question) - section.token_count
        section.token_count += change
        stored.tokens.total += change
        if stored.tokens.total > recipe.request.max_tokens:
            return None
    _make_common(stored)
    return _own(stored, recipe)


def _make_common(reply: pb.BuildContextResponse) -> None:
    for field in ("request_id", "record_id", "profile_label", "cache", "cache_report", "timings"):
        reply.ClearField(field)
    for report in reply.sources:
        report.ClearField("duration")


def _own(reply: pb.BuildContextResponse, recipe: Recipe) -> pb.BuildContextResponse:
    reply.request_id = recipe.shown.request_id
    reply.profile_label = recipe.resolved.label
    reply.cache = pb.CACHE_STATUS_HIT
    return reply
