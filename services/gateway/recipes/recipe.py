"""A request with every default written out and every name looked up, before any work is done."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Never

from scic import errors
from scic.gateway.v1 import context_service_pb2 as pb
from scic.type.v1 import message_pb2, prompt_pb2
from services.gateway.cache.ports import CacheKey
from services.gateway.guard.guard import Screen
from services.gateway.profiles.ports import ResolvedProfile
from services.gateway.profiles.profile import Profile
from services.gateway.recipes.budget import Budget, BudgetTooSmallError, share_out
from services.gateway.recipes.fingerprint import terms_of
from services.gateway.recipes.screened import screened
from services.gateway.sources.source import Sources
from services.prompt.defuse import defuse_speech
from services.prompt.fixed import fixed_tokens
from services.text.tokens import ENCODING_NAMES, Encoding, UnknownModelError, encoding_for


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to do for one request."""

    request: pb.BuildContextRequest
    """The request's terms, defaults written out: the same recipe always has the same request."""

    shown: pb.BuildContextRequest
    """The request as it was sent, masked as the profile says: what prompts, replies, caches and records see."""

    resolved: ResolvedProfile
    screen: Screen
    encoding: Encoding
    budget: Budget

    key: CacheKey | None = None
    """What its reply is found by; None until that is worked out."""

    known: bool = False
    """Whether it was worked out for another request like this one. Then its screen has not read this one, so that a
    reply may be found by it, but not built."""

    @property
    def profile(self) -> Profile:
        """The profile followed."""
        return self.resolved.profile

    @property
    def kept_conversation(self) -> list[message_pb2.ConversationTurn]:
        """The newest turns, those that fit their share, oldest of them first."""
        turns = list(self.shown.conversation)
        return turns[len(turns) - self.budget.kept_turns :]

    @property
    def reserved_output_tokens(self) -> int:
        """Tokens kept free for the answer."""
        return self.request.reserved_output_tokens

    @property
    def format(self) -> prompt_pb2.PromptFormat.ValueType:
        """The provider's format that is counted, and rendered where that is asked for."""
        return self.request.render or self.profile.format


def resolve(
    request: pb.BuildContextRequest, resolved: ResolvedProfile, screen: Screen, *, default_max_tokens: int = 0
) -> Recipe:
    """Looks names up, writes defaults out, masks what the profile masks and shares the budget.

    Raises ScicError UNKNOWN_MODEL, UNKNOWN_SOURCE, INVALID_FIELD, SENSITIVE_CONTENT, GUARD_FAILED or BUDGET_TOO_SMALL,
    each naming its field.
    """
    profile = resolved.profile
    full = terms_of(request)
    full.profile = f"{profile.name}@{profile.version}" if profile.version else profile.name
    full.model = request.model or profile.model
    full.max_tokens = request.max_tokens or profile.max_tokens or default_max_tokens or _no_bound(profile)
    if not request.HasField("reserved_output_tokens"):
        full.reserved_output_tokens = profile.reserved_output_tokens
    encoding = _encoding(full.model, profile)
    _check_sources(full, profile.sources)
    shown = screened(request, screen)
    if not defuse_speech(shown.question).text.strip():
        raise errors.INVALID_FIELD.error(
            "question holds nothing that can be seen",
            field_violations=[("question", "must hold something that can be seen")],
        )
    for index, (passage, as_shown) in enumerate(zip(full.passages, shown.passages, strict=True)):
        passage.passage_id = as_shown.passage_id or f"inline/{index}"
    try:
        budget = share_out(
            max_tokens=full.max_tokens,
            fixed=fixed_tokens(
                instructions=profile.instructions,
                tools=profile.tools,
                examples=profile.examples,
                question=shown.question,
                reserved_output_tokens=full.reserved_output_tokens,
                format=request.render or profile.format,
                encoding=encoding,
            ),
            conversation=shown.conversation,
            conversation_share=profile.conversation_share,
            encoding=encoding,
        )
    except BudgetTooSmallError as error:
        raise errors.BUDGET_TOO_SMALL.error(
            f"max_tokens is {full.max_tokens}, but the prompt needs {error.required} without any evidence",
            metadata={"required_tokens": str(error.required)},
            field_violations=[("max_tokens", f"must be at least {error.required} for this question")],
        ) from None
    _write_sources_out(full, profile, budget.evidence)
    return Recipe(full, shown, resolved, screen, encoding, budget)


def encoding_of(model: str) -> Encoding:
    """The encoding of the model that a request names. Raises ScicError UNKNOWN_MODEL."""
    try:
        return encoding_for(model)
    except UnknownModelError:
        valid = (*ENCODING_NAMES, "models of OpenAI", "any by a profile that names model and encoding")
        raise _unknown(errors.UNKNOWN_MODEL, "model", model, valid=valid) from None


def _encoding(model: str, profile: Profile) -> Encoding:
    """The profile's encoding is for its own model, and for those whose encoding nobody knows."""
    if profile.encoding and model == profile.model:
        return encoding_for(profile.encoding)
    try:
        return encoding_of(model)
    except errors.ScicError:
        if profile.encoding:
            return encoding_for(profile.encoding)
        raise


def _no_bound(profile: Profile) -> Never:
    raise errors.INVALID_FIELD.error(
        f"max_tokens is 0 or not given, and the profile {profile.name} names none",
        field_violations=[("max_tokens", "must be 1 to 1,000,000 where the profile names none")],
    )


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
