"""A published recipe on top of what the server has where it is silent."""

from dataclasses import replace

from scic.gateway.v1 import profile_service_pb2 as pb
from services.gateway.guard.policy import GuardPolicy
from services.gateway.profiles.profile import Profile
from services.gateway.recipes.pin_patterns import MOST_PATTERNS
from services.gateway.sources.source import Source, Sources

_DECIMALS = 6
"""Numbers travel in 32 bits: 0.3 comes as 0.30000001, and shares that sum to 1 would sum to more."""


def domain_profile(name: str, version: str, message: pb.Profile, base: Profile) -> Profile:
    """The profile that a recipe is on a server whose own default is `base`.

    All sources of the server stay known; those of the recipe are searched where a request names none. One that the
    server no longer declares is left out: a version must not fail because a server was set up anew.
    """
    limits = {source.name: source.limit for source in message.sources if source.limit}
    return replace(
        base,
        name=name,
        version=version,
        instructions=message.instructions or base.instructions,
        model=message.model or base.model,
        encoding=message.encoding or base.encoding,
        format=message.format or base.format,
        max_tokens=message.max_tokens or base.max_tokens,
        reserved_output_tokens=message.reserved_output_tokens or base.reserved_output_tokens,
        tools=tuple(message.tools) or base.tools,
        examples=tuple(message.examples) or base.examples,
        sources=merged_sources(message, base.sources),
        source_limits={**base.source_limits, **limits},
        conversation_share=(
            _exact(message.conversation_share) if message.HasField("conversation_share") else base.conversation_share
        ),
        order=message.order or base.order,
        # A server may get more patterns of its own after the version was published.
        pin_patterns=tuple(dict.fromkeys((*base.pin_patterns, *message.pin_patterns)))[:MOST_PATTERNS],
        deadline_seconds=(
            message.deadline.ToNanoseconds() / 1e9 if message.HasField("deadline") else base.deadline_seconds
        ),
        guard=GuardPolicy.of(message.guard) if message.HasField("guard") else base.guard,
    )


def merged_sources(message: pb.Profile, sources: Sources) -> Sources:
    """The server's sources with what a recipe says of them."""
    listed = {source.name: source for source in message.sources if source.name in sources}
    if not listed:
        return sources
    return Sources(
        _overridden(source, listed[name]) if name in listed else replace(source, default=False)
        for name, source in sources.items()
    )


def _overridden(source: Source, said: pb.ProfileSource) -> Source:
    return replace(
        source,
        default=True,
        required=said.required if said.HasField("required") else source.required,
        priority=_exact(said.priority) if said.HasField("priority") else source.priority,
        min_share=_exact(said.min_share) if said.HasField("min_share") else source.min_share,
        max_share=_exact(said.max_share) if said.HasField("max_share") else source.max_share,
    )


def _exact(number: float) -> float:
    return round(number, _DECIMALS)
