"""Files on their way to become documents, and the options that say how."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from scic.cli.duration import expiry
from scic.cli.files import Failed, FoundFile, PathNotFoundError, Skipped, discover, read_content
from scic.gateway.v1 import corpus_service_pb2 as pb
from scic.type.v1 import trust_pb2

Paths = Annotated[list[Path], typer.Argument(help="Files and folders.", show_default=False)]
Source = Annotated[
    str, typer.Option("--source", "-s", help="Source of all files. Default: docs, code or history by type.")
]
Metadata = Annotated[
    list[str] | None,
    typer.Option("--metadata", "-m", help="Fact to filter by later, KEY=VALUE; can be given again."),
]
Groups = Annotated[
    list[str] | None,
    typer.Option(
        "--acl",
        metavar="GROUP",
        help="Group that may see the files; can be given again. Default: everybody, for a file that had groups too.",
    ),
]
Subjects = Annotated[
    list[str] | None,
    typer.Option(
        "--subject",
        help="Person or thing that the files are about, for erasure; can be given again. Only the last ones count.",
    ),
]
ExpiresIn = Annotated[
    str | None,
    typer.Option(
        "--expires-in",
        metavar="DURATION",
        help="Remove the files after that time: 30d, 12h; rounded up to a whole day, hour or minute. "
        "Default: by the retention of the source.",
    ),
]
Untrusted = Annotated[
    bool,
    typer.Option(
        "--untrusted", help="Label the files as untrusted. Default: trusted where the key and their source are."
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Name the files that are left out, too.")]


@dataclass(frozen=True, slots=True)
class Files:
    """What files and folders hold."""

    found: list[FoundFile]
    failures: list[tuple[str, str]]
    """Names of those that cannot be sent, and why."""
    skipped: list[Skipped]


def find_files(paths: Sequence[Path], console: Console, *, verbose: bool) -> Files:
    """Walks; names what is left out where that is wanted."""
    try:
        findings = list(discover(paths))
    except PathNotFoundError as error:
        raise typer.BadParameter(str(error), param_hint="PATHS") from None
    skipped = [finding for finding in findings if isinstance(finding, Skipped)]
    for finding in skipped if verbose else ():
        console.print(f"left out {finding.path}: {finding.reason}", style="dim", markup=False, highlight=False)
    return Files(
        [finding for finding in findings if isinstance(finding, FoundFile)],
        [(str(finding.path), finding.reason) for finding in findings if isinstance(finding, Failed)],
        skipped,
    )


def common_fields(
    source: str,
    metadata: Sequence[str],
    groups: Sequence[str],
    subjects: Sequence[str],
    expires_in: str | None,
    *,
    untrusted: bool,
) -> pb.DocumentInput:
    """What all files share."""
    common = pb.DocumentInput(
        source=source,
        metadata=dict(map(_fact, metadata)),
        acl_groups=dict.fromkeys(groups),
        subjects=dict.fromkeys(subjects),
        trust=trust_pb2.TRUST_LABEL_UNTRUSTED if untrusted else trust_pb2.TRUST_LABEL_UNSPECIFIED,
    )
    if expires_in is not None:
        try:
            common.expire_time.FromDatetime(expiry(expires_in, datetime.now(UTC)))
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--expires-in") from None
    return common


async def documents(files: Files, common: pb.DocumentInput) -> AsyncIterator[pb.DocumentInput]:
    """The files that were found, each with what is `common` to all; one that cannot be read now joins the failures."""
    for file in files.found:
        content = await asyncio.to_thread(read_content, file)
        if isinstance(content, Failed):
            files.failures.append((file.document_id, content.reason))
            continue
        document = pb.DocumentInput(
            document_id=file.document_id, content=content, content_type=file.content_type, metadata=file.metadata
        )
        document.MergeFrom(common)
        yield document


def _fact(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise typer.BadParameter(f"{text!r} is not KEY=VALUE", param_hint="--metadata")
    return key, value


def name_failures(console: Console, failures: Sequence[tuple[str, str]]) -> None:
    """What did not go in, and why."""
    for name, reason in failures:
        console.print(f"failed {name}: {reason}", style="red", markup=False, highlight=False, soft_wrap=True)
