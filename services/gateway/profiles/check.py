"""What is wrong with a recipe: every mistake at once, by field."""

from collections import Counter
from collections.abc import Iterator
from math import fsum, inf
from typing import Any, Protocol

from scic.gateway.v1 import profile_service_pb2 as pb
from scic.type.v1 import prompt_pb2
from services.gateway.profiles.profile import Profile
from services.gateway.profiles.recipe import domain_profile, merged_sources
from services.gateway.recipes.pin_patterns import MOST_PATTERNS, expectation_of
from services.prompt.tool import ToolError, read_parameters
from services.prompt.wire import read_tools
from services.text.tokens import ENCODING_NAMES, Encoding, UnknownModelError, encoding_for

Mistake = tuple[str, str]
"""A field's path in the request, and what is expected of it."""


class FixedTokens(Protocol):
    """Counts what a prompt has without question and evidence: `services.prompt.fixed.fixed_tokens`."""

    def __call__(
        self,
        *,
        instructions: str,
        tools: tuple[prompt_pb2.Tool, ...],
        examples: tuple[prompt_pb2.Example, ...],
        question: str,
        reserved_output_tokens: int,
        format: prompt_pb2.PromptFormat.ValueType,  # noqa: A002 - the field's name
        encoding: Encoding,
    ) -> int:
        """Tokens."""
        ...


def mistakes(
    profile: pb.Profile, base: Profile, fixed_tokens: FixedTokens, max_deadline_seconds: float = inf
) -> list[Mistake]:
    """What is wrong beyond the rules of the proto. Takes a second for a recipe of megabytes: keep it off the loop.

    `max_deadline_seconds` is how long any request may take on this server.
    """
    return [
        *_of_sources(profile, base),
        *_of_tools(profile),
        *_of_guard(profile),
        *_of_patterns(profile, base),
        *_of_encoding(profile, base, fixed_tokens),
        *_of_deadline(profile, max_deadline_seconds),
    ]


def _of_sources(profile: pb.Profile, base: Profile) -> Iterator[Mistake]:
    valid = ", ".join(base.sources)
    merged = merged_sources(profile, base.sources)
    for index, name in _repeated(source.name for source in profile.sources):
        yield f"profile.sources[{index}].name", f"must be unique; {name} stands twice"
    for index, said in enumerate(profile.sources):
        field = f"profile.sources[{index}]"
        source = merged.get(said.name)
        if source is None:
            yield f"{field}.name", f"must be one of: {valid}"
        elif source.everywhere and (said.min_share or said.max_share):
            share = "min_share" if said.min_share else "max_share"
            yield f"{field}.{share}", "must not be set: what is found everywhere counts for the source it belongs to"
        elif source.max_share and source.max_share < source.min_share:
            yield f"{field}.max_share", f"must be 0 or at least min_share, which is {source.min_share:g}"
    if (together := fsum(source.min_share for source in merged.values())) > 1:
        yield (
            "profile.sources",
            f"must have a min_share of at most 1 together, the server's included; it is {together:g}",
        )


def _of_tools(profile: pb.Profile) -> Iterator[Mistake]:
    for index, name in _repeated(tool.name for tool in profile.tools):
        yield f"profile.tools[{index}].name", f"must be unique; {name} stands twice"
    for index, tool in enumerate(profile.tools):
        if expectation := _of_parameters(tool):
            yield f"profile.tools[{index}].parameters_json", expectation


def _of_parameters(tool: prompt_pb2.Tool) -> str:
    """What is expected of a tool's parameters, or nothing."""
    try:
        read_parameters(read_tools([tool]))
    except ToolError as error:
        return error.expectation
    return ""


def _of_guard(profile: pb.Profile) -> Iterator[Mistake]:
    for index, _ in _repeated(rule.type for rule in profile.guard.rules):
        yield f"profile.guard.rules[{index}].type", "must be unique: one rule for each type"


def _of_patterns(profile: pb.Profile, base: Profile) -> Iterator[Mistake]:
    for index, pattern in enumerate(profile.pin_patterns):
        if expectation := expectation_of(pattern):
            yield f"profile.pin_patterns[{index}]", expectation
    if len({*base.pin_patterns, *profile.pin_patterns}) > MOST_PATTERNS:
        left = MOST_PATTERNS - len(base.pin_patterns)
        yield "profile.pin_patterns", f"must be at most {left}, beside the {len(base.pin_patterns)} of the server"


def _of_encoding(profile: pb.Profile, base: Profile, fixed_tokens: FixedTokens) -> Iterator[Mistake]:
    valid = ", ".join(ENCODING_NAMES)
    if profile.encoding and profile.encoding not in ENCODING_NAMES:
        yield "profile.encoding", f"must be one of: {valid}"
        return
    try:
        encoding = encoding_for(profile.encoding or profile.model or base.encoding or base.model)
    except UnknownModelError as error:
        yield "profile.encoding", f"must be given, since that of the model {error.model[:64]!r} is not known: {valid}"
        return
    recipe = domain_profile("", "", profile, base)
    if not recipe.max_tokens:
        return
    needed = fixed_tokens(
        instructions=recipe.instructions,
        tools=tuple(tool for tool in recipe.tools if not _of_parameters(tool)),
        examples=recipe.examples,
        question="",
        reserved_output_tokens=recipe.reserved_output_tokens,
        format=recipe.format,
        encoding=encoding,
    )
    if needed > recipe.max_tokens:
        yield "profile.max_tokens", f"must be at least {needed}, what the fixed parts take before question and evidence"


def _of_deadline(profile: pb.Profile, max_seconds: float) -> Iterator[Mistake]:
    if profile.deadline.ToNanoseconds() > max_seconds * 1e9:
        yield "profile.deadline", f"must be at most {max_seconds:g} s, the server's cap"


def _repeated(values: Any) -> Iterator[tuple[int, Any]]:
    """Those that stood there before, and where they stand again."""
    seen = Counter[Any]()
    for index, value in enumerate(values):
        seen[value] += 1
        if seen[value] > 1:
            yield index, value
