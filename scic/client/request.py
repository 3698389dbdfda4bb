"""What a context is built for, and what a text is shortened to, in Python's own terms."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, TypedDict, Unpack

from scic import errors
from scic.client.spans import duration
from scic.gateway.v1 import cache_pb2
from scic.gateway.v1 import context_service_pb2 as context
from scic.type.v1 import message_pb2, prompt_pb2, source_pb2

_SPEAKERS = {"user": message_pb2.ROLE_USER, "assistant": message_pb2.ROLE_ASSISTANT}

_FORMATS = {"openai": prompt_pb2.PROMPT_FORMAT_OPENAI, "anthropic": prompt_pb2.PROMPT_FORMAT_ANTHROPIC}

_CACHE_MODES = {
    "refresh": cache_pb2.CacheDirective.MODE_REFRESH,
    "bypass": cache_pb2.CacheDirective.MODE_BYPASS,
}


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn of a conversation."""

    role: Literal["user", "assistant"]
    text: str


class ContextOptions(TypedDict, total=False):
    """Everything about a context that has a default."""

    model: str
    """The model whose encoding counts. Default: the server's."""

    profile: str
    """The recipe to follow: `NAME`, `NAME@LABEL` or `NAME@VERSION`. Default: `default`."""

    conversation_id: str
    """Names the conversation: all of it stays with one version of the profile. Default: each request for itself."""

    reserved_output_tokens: int
    """Tokens of `max_tokens` to keep free for the model's answer. Default: the profile's."""

    render: Literal["openai", "anthropic"]
    """The provider whose request body is wanted, as JSON in `rendered`. Default: none."""

    sources: Mapping[str, int] | Iterable[str] | str
    """Names of sources, or names with the number of passages to take from each. Default: all."""

    filters: Mapping[str, str | Iterable[str]]
    """Metadata that a document must have: a value for each key, or several of which any will do. Default: none."""

    conversation: Iterable[Turn]
    """The turns so far, oldest first. Default: none."""

    passages: Iterable[str | context.InlinePassage]
    """Texts that compete with what is found. Default: none."""

    request_id: str
    """Names the request in logs and in the reply. Default: made by the mesh."""

    cache: Literal["refresh", "bypass"]
    """`refresh` takes no stored reply, and stores the new one; `bypass` does neither. Default: a stored reply that is
    right is taken, and a new one is stored."""

    max_age: timedelta | float
    """The oldest stored reply that is taken; a number is seconds, at most 7 days. Default: as the server keeps them."""

    min_corpus_version: int
    """The version of the corpus that a stored reply must be made of, or a newer one; 0: any. Default: what the client
    wrote itself is in it."""


def context_request(
    question: str, *, max_tokens: int | None, **options: Unpack[ContextOptions]
) -> context.BuildContextRequest:
    """The request that `Client.build_context` and `Client.plan_context` send, and that `Client.submit_contexts` takes.

    Raises ScicError INVALID_FIELD, and TypeError for an option that does not exist: a misspelt filter that is dropped
    without a word would be dangerous.
    """
    if unknown := sorted(set(options) - set(ContextOptions.__annotations__)):
        raise TypeError(f"no such option: {', '.join(unknown)}; there are {', '.join(ContextOptions.__annotations__)}")
    sources = options.get("sources", ())
    sources = (sources,) if isinstance(sources, str) else sources
    limits = sources if isinstance(sources, Mapping) else dict.fromkeys(sources, 0)
    try:
        return context.BuildContextRequest(
            question=question,
            max_tokens=max_tokens or 0,
            model=options.get("model", ""),
            profile=options.get("profile", ""),
            sources=[context.SourceSelection(name=name, limit=limit) for name, limit in limits.items()],
            filter=[
                source_pb2.MetadataCondition(key=key, any_of=[value] if isinstance(value, str) else value)
                for key, value in options.get("filters", {}).items()
            ],
            conversation=[
                message_pb2.ConversationTurn(role=_SPEAKERS[turn.role], text=turn.text)
                for turn in options.get("conversation", ())
            ],
            passages=[
                context.InlinePassage(text=item) if isinstance(item, str) else item
                for item in options.get("passages", ())
            ],
            request_id=options.get("request_id", ""),
            conversation_id=options.get("conversation_id", ""),
            reserved_output_tokens=options.get("reserved_output_tokens"),
            render=_format(options.get("render", "")),
            cache=_directive(options),
        )
    except (OverflowError, ValueError) as error:
        raise unsendable(error) from None


def _format(provider: str) -> prompt_pb2.PromptFormat.ValueType:
    if not provider:
        return prompt_pb2.PROMPT_FORMAT_UNSPECIFIED
    if provider not in _FORMATS:
        raise _not_one_of("render", provider, _FORMATS)
    return _FORMATS[provider]


def _directive(options: ContextOptions) -> cache_pb2.CacheDirective | None:
    """What was said of the cache; None where nothing was."""
    if options.keys().isdisjoint(("cache", "max_age", "min_corpus_version")):
        return None
    directive = cache_pb2.CacheDirective(min_corpus_version=options.get("min_corpus_version", 0))
    if mode := options.get("cache", ""):
        if mode not in _CACHE_MODES:
            raise _not_one_of("cache", mode, _CACHE_MODES)
        directive.mode = _CACHE_MODES[mode]
    if "max_age" in options:
        directive.max_age.CopyFrom(duration(options["max_age"]))
    return directive


def _not_one_of(option: str, said: str, valid: Iterable[str]) -> errors.ScicError:
    names = ", ".join(valid)
    return errors.INVALID_FIELD.error(
        f"{option} is {said!r}; valid: {names}", field_violations=[(option, f"must be one of: {names}")]
    )


def text_request(question: str, text: str, **fields: Any) -> context.CompressTextRequest:
    """The request that `Client.compress_text` sends; what is None is left out. Raises ScicError INVALID_FIELD."""
    if (fields.get("ratio") is None) == (fields.get("max_tokens") is None):
        raise errors.INVALID_FIELD.error(
            "give one of ratio and max_tokens", field_violations=[("size", "must be one of ratio and max_tokens")]
        )
    given = {name: value for name, value in fields.items() if value is not None}
    try:
        return context.CompressTextRequest(question=question, text=text, **given)
    except ValueError as error:
        raise unsendable(error) from None


def unsendable(error: ArithmeticError | ValueError) -> errors.ScicError:
    """A number beyond its bits, or text with lone surrogates: no message can hold it."""
    return errors.INVALID_FIELD.error(f"the request cannot be sent: {error}")
