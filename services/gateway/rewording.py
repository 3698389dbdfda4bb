"""Fits a stored reply to the caller's own wording of the question."""

from scic.gateway.v1 import context_service_pb2 as pb
from scic.type.v1 import message_pb2
from services.gateway.recipe import Recipe
from services.prompt.defuse import defuse_speech


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
    stored.ClearField("record_id")
    stored.ClearField("cache_report")
    stored.request_id = recipe.request.request_id
    stored.profile_label = recipe.resolved.label
    stored.cache = pb.CACHE_STATUS_HIT
    del stored.timings[:]
    for report in stored.sources:
        report.ClearField("duration")
    return stored
