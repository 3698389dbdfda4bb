"""A request with every default written out and every name looked up, before any work is done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scic import errors
from scic.gateway.v1 import context_service_pb2 as pb
from scic.type.v1 import message_pb2
from services.gateway.budget import Budget, BudgetTooSmallError, share_out
from services.gateway.profile import Profile
from services.gateway.source import Sources
from services.text.tokens import ENCODING_NAMES, Encoding, UnknownModelError, encoding_for


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to do for one request."""

    request: pb.BuildContextRequest
    """The request, defaults written out: the same recipe always has the same request, its id apart."""

    profile: Profile
    encoding: Encoding
    budget: Budget

    @property
    def kept_conversation(self) -> list[message_pb2.ConversationTurn]:
        """The newest turns, those that fit their share, oldest of them first."""
        turns = list(self.request.conversation)
        return turns[len(turns) - self.budget.kept_turns :]


def resolve(request: pb.BuildContextRequest, profiles: Mapping[str, Profile], *, default_profile: str) -> Recipe:
    """Looks names up, writes defaults out and shares the budget.

    Raises ScicError UNKNOWN_PROFILE, UNKNOWN_MODEL, UNKNOWN_SOURCE, INVALID_FIELD or BUDGET_TOO_SMALL, each naming
    its field.
    """
    profile = profiles.get(request.profile or default_profile)
    if profile is None:
        raise _unknown(errors.UNKNOWN_PROFILE, "profile", request.profile, valid=sorted(profiles))
    resolved = pb.BuildContextRequest()
    resolved.CopyFrom(request)
    resolved.profile = profile.name
    resolved.model = request.model or profile.model
    encoding = encoding_of(resolved.model)
    _check_sources(resolved, profile.sources)
    for index, passage in enumerate(resolved.passages):
        passage.passage_id = passage.passage_id or f"inline/{index}"
    try:
        budget = share_out(
            max_tokens=resolved.max_tokens,
            instructions=profile.instructions,
            question=resolved.question,
            conversation=resolved.conversation,
            conversation_share=profile.conversation_share,
            encoding=encoding,
        )
    except BudgetTooSmallError as error:
        raise errors.BUDGET_TOO_SMALL.error(
            f"max_tokens is {resolved.max_tokens}, but the prompt needs {error.required} without any evidence",
            metadata={"required_tokens": str(error.required)},
            field_violations=[("max_tokens", f"must be at least {error.required} for this question")],
        ) from None
    _write_sources_out(resolved, profile, budget.evidence)
    return Recipe(resolved, profile, encoding, budget)


def encoding_of(model: str) -> Encoding:
    """The encoding of the model that a request names. Raises ScicError UNKNOWN_MODEL."""
    try:
        return encoding_for(model)
    except UnknownModelError:
        raise _unknown(errors.UNKNOWN_MODEL, "model", model, valid=ENCODING_NAMES) from None


def _check_sources(request: pb.BuildContextRequest, sources: Sources) -> None:
    seen: set[str] = set()
    for index, selection in enumerate(request.sources):
        field = f"sources[{index}].name"
        sources.find(selection.name, field=field)
        if selection.name in seen:
            raise errors.INVALID_FIELD.error(
                f"source {selection.name} stands twice", field_violations=[(field, "must be unique")]
            )
        seen.add(selection.name)


def _write_sources_out(request: pb.BuildContextRequest, profile: Profile, evidence_tokens: int) -> None:
    """Writes each source out in full, in the order of the names: the order changes nothing in the reply."""
    given = list(request.sources) or [
        pb.SourceSelection(name=source.name) for source in profile.sources.values() if source.default
    ]
    del request.sources[:]
    for selection in sorted(given, key=lambda selection: selection.name):
        required = selection.required if selection.HasField("required") else profile.sources[selection.name].required
        limit = selection.limit or profile.source_limit(selection.name, evidence_tokens)
        request.sources.add(name=selection.name, limit=limit, required=required)


def _unknown(reason: errors.Reason, field: str, name: str, *, valid: Sequence[str]) -> errors.ScicError:
    """A name that nothing answers to, with the names that would do."""
    choices = ", ".join(valid)
    return reason.error(
        f"{field} is {name[:64]!r}, which is not known; valid: {choices}",
        metadata={"valid": choices},
        field_violations=[(field, f"must be one of: {choices}")],
    )
