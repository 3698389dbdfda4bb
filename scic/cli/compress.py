"""`scic compress`: shorten a file to what answers a question."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from scic.cli.connection import Address, ApiKey, DataDir, connect
from scic.cli.json_output import print_json
from scic.cli.options import AsJson
from scic.cli.output import output
from scic.cli.show_compression import show_diff, show_figures
from scic.content_type import content_type_of
from scic.gateway.v1 import context_service_pb2 as pb

MAX_CHARACTERS = 262_144
"""Longest text that the gateway takes."""

_REWRITTEN = frozenset({"text/html", "application/x-ndjson"})
"""Content types whose passages are no copy of the text."""
_MAX_BYTES = 4 * MAX_CHARACTERS
_DEFAULT_RATIO = 0.5
_TIMEOUT = 60.0
"""Seconds, the most that the mesh takes: it reads 3,000 tokens a second for their meaning."""

File = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="Text file of at most 262,144 characters, or - for standard input.",
        show_default=False,
    ),
]
Name = Annotated[
    str,
    typer.Option("--name", help="What the text is called: its ending says what it holds. Default: the file's name."),
]
Question = Annotated[str, typer.Option("--question", "-q", help="What the text should answer.", show_default=False)]
Ratio = Annotated[
    float | None,
    typer.Option("--ratio", "-r", help="Share of the tokens that may be left, above 0 to 1. Default: 0.5."),
]
MaxTokens = Annotated[int | None, typer.Option("--max-tokens", "-n", help="Tokens that may be left.")]
Model = Annotated[
    str, typer.Option("--model", help="Model whose encoding counts and whose price is used. Default: the server's.")
]
Diff = Annotated[bool, typer.Option("--diff", help="Show the original: what stays, and what goes.")]
Plan = Annotated[bool, typer.Option("--plan", help="Say what would be done, and spend nothing.")]
Fast = Annotated[bool, typer.Option("--fast", help="Let words alone decide: milliseconds instead of seconds.")]
Pins = Annotated[
    list[str] | None,
    typer.Option(
        "--pin",
        metavar="REGEX",
        help="RE2 pattern of what is kept or dropped whole, as numbers, names and negations are; can be given again.",
    ),
]
Cached = Annotated[
    bool,
    typer.Option("--cached", help="The text is in the provider's prompt cache: shorten it only if that is cheaper."),
]


def compress(
    file: File,
    question: Question,
    name: Name = "",
    ratio: Ratio = None,
    max_tokens: MaxTokens = None,
    model: Model = "",
    diff: Diff = False,
    plan: Plan = False,
    fast: Fast = False,
    pin: Pins = None,
    cached: Cached = False,
    as_json: AsJson = False,
    address: Address = None,
    api_key: ApiKey = None,
    data_dir: DataDir = None,
) -> None:
    """Shorten a text to what answers a question, and print it; the figures go to standard error."""
    if ratio is None and max_tokens is None:
        ratio = _DEFAULT_RATIO
    _check_size(ratio, max_tokens)
    name = name or ("" if file == "-" else Path(file).name)
    content_type = content_type_of(name)
    if diff:
        _check_diff(content_type, alone=not (plan or as_json))
    text = _text(file)

    async def ask() -> pb.CompressTextResponse:
        async with connect(address, api_key, data_dir) as client:
            return await client.compress_text(
                question,
                text,
                ratio=ratio,
                max_tokens=max_tokens,
                content_type=content_type,
                name=name,
                model=model,
                pin_patterns=pin or (),
                words_only=fast,
                prompt_cached=cached,
                dry_run=plan,
                timeout=_TIMEOUT,
            )

    compressed = asyncio.run(ask())
    if plan:
        compressed.ClearField("text")
    if as_json:
        print_json(compressed)
    elif plan:
        console = output()
        console.print("This is a plan: nothing was spent.")
        show_figures(console, compressed)
    elif diff:
        show_diff(output(), compressed, text=text, name=name or "standard input", question=question)
    else:
        _print(compressed)


def _check_size(ratio: float | None, max_tokens: int | None) -> None:
    if ratio is not None and max_tokens is not None:
        raise typer.BadParameter("give one of --ratio and --max-tokens", param_hint="--ratio")
    if ratio is not None and not 0 < ratio <= 1:
        raise typer.BadParameter(f"{ratio:g} is not above 0 and at most 1", param_hint="--ratio")


def _check_diff(content_type: str, *, alone: bool) -> None:
    if not alone:
        raise typer.BadParameter("shows a text; --plan and --json show none", param_hint="--diff")
    if content_type in _REWRITTEN:
        raise typer.BadParameter(
            "needs a text that is compressed as it stands; of HTML and conversations the words are taken out first",
            param_hint="--diff",
        )


def _print(compressed: pb.CompressTextResponse) -> None:
    """The text alone to standard output, so that it can be piped, and the figures to standard error."""
    sys.stdout.write(compressed.text)
    if compressed.text and not compressed.text.endswith("\n"):
        sys.stdout.write("\n")
    sys.stdout.flush()
    console = Console(stderr=True)
    if not compressed.text:
        console.print(f"[yellow]nothing is left[/yellow]: no part fits {compressed.decision.max_tokens} tokens")
    show_figures(console, compressed)


def _text(file: str) -> str:
    """The text of a file or of standard input."""
    name = "standard input" if file == "-" else file
    try:
        if file == "-":
            content = sys.stdin.buffer.read(_MAX_BYTES + 1)
        else:
            with Path(file).open("rb") as stream:
                content = stream.read(_MAX_BYTES + 1)
    except OSError as error:
        raise _unfit(name, (error.strerror or str(error)).lower()) from None
    if b"\0" in content:
        raise _unfit(name, "binary, not a text")
    try:
        text = content[:_MAX_BYTES].decode("utf-8", "strict" if len(content) <= _MAX_BYTES else "ignore")
    except UnicodeDecodeError as error:
        raise _unfit(name, f"not UTF-8 at byte {error.start}") from None
    if not text.strip():
        raise _unfit(name, "empty")
    if len(content) > _MAX_BYTES or len(text) > MAX_CHARACTERS:
        raise _unfit(name, f"longer than {MAX_CHARACTERS:,} characters")
    return text


def _unfit(name: str, reason: str) -> typer.BadParameter:
    return typer.BadParameter(f"{name}: {reason}", param_hint="FILE")
