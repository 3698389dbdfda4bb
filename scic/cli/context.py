"""`scic context` and `scic plan`: ask the mesh."""

import asyncio
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from scic.cli.connection import Address, ApiKey, DataDir, connect
from scic.cli.duration import span
from scic.cli.json_output import print_json
from scic.cli.options import AsJson
from scic.cli.output import output
from scic.cli.show import show_context, show_plan
from scic.client import ContextOptions


class Provider(StrEnum):
    """A provider whose request can be written."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"


Question = Annotated[str, typer.Argument(help="The question.", show_default=False)]
MaxTokens = Annotated[
    int | None,
    typer.Option("--max-tokens", "-n", help="Bound for all tokens. Default: the profile's; 2000 without a profile."),
]
Profile = Annotated[
    str, typer.Option("--profile", "-p", help="Recipe to follow: NAME, NAME@LABEL or NAME@VERSION. Default: default.")
]
Conversation = Annotated[
    str, typer.Option("--conversation", help="Name of the conversation: all of it stays with one version of a profile.")
]
Reserve = Annotated[int | None, typer.Option("--reserve", help="Tokens to keep free for the answer.")]
Model = Annotated[str, typer.Option("--model", help="Model whose encoding counts. Default: the server's.")]
Sources = Annotated[
    list[str] | None,
    typer.Option("--source", "-s", help="Source to search, NAME or NAME:LIMIT; can be given again. Default: all."),
]
Filters = Annotated[
    list[str] | None,
    typer.Option("--filter", "-f", help="Metadata a document must have, KEY=VALUE; can be given again."),
]
PassageFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--passage", exists=True, dir_okay=False, readable=True, help="Text file that competes with what is found."
    ),
]
Explain = Annotated[bool, typer.Option("--explain", help="Show scores, and what was left out and why.")]

Render = Annotated[
    Provider | None, typer.Option("--render", help="Print the body of this provider's request, and nothing else.")
]

Fresh = Annotated[bool, typer.Option("--fresh", help="Take no stored reply; the new one is stored in its place.")]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Take no stored reply, and store nothing.")]
MaxAge = Annotated[
    str | None,
    typer.Option(
        "--max-age",
        metavar="DURATION",
        help="Oldest stored reply that is taken: 30s, 10m, 1h30m; a number is seconds; at most 7d.",
    ),
]
MinVersion = Annotated[
    int | None,
    typer.Option(
        "--min-version",
        metavar="VERSION",
        help="Version of the corpus that a stored reply must be of, or a newer one: what `scic ingest` prints.",
    ),
]

DEFAULT_MAX_TOKENS = 2000
"""Where neither a bound nor a profile is named."""


def context(
    question: Question,
    max_tokens: MaxTokens = None,
    profile: Profile = "",
    conversation: Conversation = "",
    reserve: Reserve = None,
    model: Model = "",
    source: Sources = None,
    filter_: Filters = None,
    passage: PassageFiles = None,
    fresh: Fresh = False,
    no_cache: NoCache = False,
    max_age: MaxAge = None,
    min_version: MinVersion = None,
    render: Render = None,
    as_json: AsJson = False,
    explain: Explain = False,
    address: Address = None,
    api_key: ApiKey = None,
    data_dir: DataDir = None,
) -> None:
    """Build the context for a question and print it, ready for an LLM."""
    options = _options(profile, conversation, reserve, model, source, filter_, passage)
    options |= _directive(max_age, min_version, fresh=fresh, no_cache=no_cache)
    if render:
        options["render"] = render.value

    async def ask() -> None:
        async with connect(address, api_key, data_dir) as client:
            built = await client.build_context(question, max_tokens=_bound(max_tokens, profile), **options)
        if render:
            print(built.rendered)
        elif as_json:
            print_json(built)
        else:
            show_context(output(), built, explain=explain)

    asyncio.run(ask())


def plan(
    question: Question,
    max_tokens: MaxTokens = None,
    profile: Profile = "",
    conversation: Conversation = "",
    reserve: Reserve = None,
    model: Model = "",
    source: Sources = None,
    filter_: Filters = None,
    passage: PassageFiles = None,
    fresh: Fresh = False,
    no_cache: NoCache = False,
    max_age: MaxAge = None,
    min_version: MinVersion = None,
    as_json: AsJson = False,
    explain: Explain = False,
    address: Address = None,
    api_key: ApiKey = None,
    data_dir: DataDir = None,
) -> None:
    """Say what `scic context` would do with the same options, and spend nothing."""
    options = _options(profile, conversation, reserve, model, source, filter_, passage)
    options |= _directive(max_age, min_version, fresh=fresh, no_cache=no_cache)

    async def ask() -> None:
        async with connect(address, api_key, data_dir) as client:
            planned = await client.plan_context(question, max_tokens=_bound(max_tokens, profile), **options)
        if as_json:
            print_json(planned)
        else:
            show_plan(output(), planned, explain=explain)

    asyncio.run(ask())


def _bound(max_tokens: int | None, profile: str) -> int | None:
    return max_tokens if max_tokens is not None or profile else DEFAULT_MAX_TOKENS


def _options(
    profile: str,
    conversation: str,
    reserve: int | None,
    model: str,
    sources: Sequence[str] | None,
    filters: Sequence[str] | None,
    passages: Sequence[Path] | None,
) -> ContextOptions:
    options = ContextOptions(
        profile=profile,
        conversation_id=conversation,
        model=model,
        sources=dict(map(_source, sources or ())),
        filters=_filters(filters or ()),
        passages=[_text(path) for path in passages or ()],
    )
    if reserve is not None:
        options["reserved_output_tokens"] = reserve
    return options


def _directive(max_age: str | None, min_version: int | None, *, fresh: bool, no_cache: bool) -> ContextOptions:
    options = ContextOptions()
    if fresh and no_cache:
        raise typer.BadParameter("give one of --fresh and --no-cache", param_hint="--fresh")
    if fresh or no_cache:
        options["cache"] = "refresh" if fresh else "bypass"
    if max_age is not None:
        try:
            options["max_age"] = span(max_age).ToTimedelta()
        except ValueError as error:
            raise typer.BadParameter(f"{max_age!r} {error}", param_hint="--max-age") from None
    if min_version is not None:
        options["min_corpus_version"] = min_version
    return options


def _source(text: str) -> tuple[str, int]:
    name, colon, limit = text.partition(":")
    if colon and not limit.isdecimal():
        raise typer.BadParameter(f"{text!r} is not NAME or NAME:LIMIT", param_hint="--source")
    return name, int(limit or 0)


def _filters(texts: Sequence[str]) -> dict[str, list[str]]:
    """Several values of one key are alternatives."""
    filters: dict[str, list[str]] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise typer.BadParameter(f"{text!r} is not KEY=VALUE", param_hint="--filter")
        filters.setdefault(key, []).append(value)
    return filters


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{path}: {error}", param_hint="--passage") from None
