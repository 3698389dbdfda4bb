"""`scic ingest`: send files to the mesh."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from scic.cli.connection import Address, ApiKey, DataDir, connect
from scic.cli.duration import expiry
from scic.cli.files import Failed, Finding, FoundFile, PathNotFoundError, Skipped, discover, read_content
from scic.cli.prune import PruneError, delete_unsent, prefixes
from scic.errors import ScicError, from_status
from scic.gateway.v1 import corpus_service_pb2 as pb
from scic.type.v1 import trust_pb2

EXIT_SOME_FAILED = 1
"""Some files did not go in; each was named."""

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
Prune = Annotated[
    bool,
    typer.Option(
        "--prune", help="Then delete stored documents of the given folders that were not sent; not if a file failed."
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Name the files that are left out, too.")]


@dataclass(slots=True)
class _Tally:
    """What happened so far."""

    outcomes: Counter["pb.IngestDocumentsResponse.Outcome.ValueType"] = field(default_factory=Counter)
    passages: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)


def ingest(
    paths: Paths,
    source: Source = "",
    metadata: Metadata = None,
    acl: Groups = None,
    subject: Subjects = None,
    expires_in: ExpiresIn = None,
    untrusted: Untrusted = False,
    prune: Prune = False,
    verbose: Verbose = False,
    address: Address = None,
    api_key: ApiKey = None,
    data_dir: DataDir = None,
) -> None:
    """Send files and folders to the mesh. What is stored already is not sent to the encoder again.

    Exit code 0: everything went in; 1: some files did not, each is named; 2: nothing was done.
    """
    common = _common(source, metadata or (), acl or (), subject or (), expires_in, untrusted=untrusted)
    beginnings = _prefixes(paths) if prune else []
    findings = _discovered(paths)
    console = Console(stderr=True)
    found = [finding for finding in findings if isinstance(finding, FoundFile)]
    tally = _Tally(failures=[(str(f.path), f.reason) for f in findings if isinstance(f, Failed)])
    skipped = [finding for finding in findings if isinstance(finding, Skipped)]
    if verbose:
        _name_left_out(console, skipped)

    async def send() -> None:
        async with connect(address, api_key, data_dir) as client:
            async for result in client.ingest_documents(_documents(found, common, tally)):
                _count(result, tally)
                progress.update(task, completed=tally.outcomes.total(), passages=tally.passages)

    async def delete() -> int:
        async with connect(address, api_key, data_dir) as client:
            return await delete_unsent(client, beginnings, {file.document_id for file in found})

    start = time.monotonic()
    with _progress(console) as progress:
        task = progress.add_task("ingesting", total=len(found), passages=0)
        try:
            asyncio.run(send())
        except ScicError as error:
            if not tally.outcomes:
                raise
            rest = len(found) - tally.outcomes.total()
            tally.failures.append((f"{rest} files", f"the stream broke: {error}; give the same command again"))
    _report(console, tally, len(skipped), time.monotonic() - start)
    if kept := _why_nothing_is_pruned(beginnings, found, tally):
        console.print(kept, highlight=False)
    elif prune:
        print(f"{asyncio.run(delete())} deleted that the folders no longer have")
    if tally.failures:
        raise typer.Exit(EXIT_SOME_FAILED)


def _why_nothing_is_pruned(beginnings: Sequence[str], found: Sequence[FoundFile], tally: _Tally) -> str | None:
    if beginnings and tally.failures:
        return "nothing was deleted, since not every file went in"
    for folder in beginnings:
        # A folder that is not mounted looks just so.
        if not any(file.document_id.startswith(folder) for file in found):
            return f"nothing was deleted, since {folder} holds no file to ingest"
    return None


def _name_left_out(console: Console, skipped: Sequence[Skipped]) -> None:
    for finding in skipped:
        console.print(f"left out {finding.path}: {finding.reason}", style="dim", markup=False, highlight=False)


def _discovered(paths: Sequence[Path]) -> list[Finding]:
    try:
        return list(discover(paths))
    except PathNotFoundError as error:
        raise typer.BadParameter(str(error), param_hint="PATHS") from None


def _common(
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


async def _documents(
    files: Sequence[FoundFile], common: pb.DocumentInput, tally: _Tally
) -> AsyncIterator[pb.DocumentInput]:
    """The files, each with what is `common` to all."""
    for file in files:
        content = await asyncio.to_thread(read_content, file)
        if isinstance(content, Failed):
            tally.failures.append((file.document_id, content.reason))
            continue
        document = pb.DocumentInput(
            document_id=file.document_id, content=content, content_type=file.content_type, metadata=file.metadata
        )
        document.MergeFrom(common)
        yield document


def _count(result: pb.IngestDocumentsResponse, tally: _Tally) -> None:
    tally.outcomes[result.outcome] += 1
    tally.passages += result.passage_count
    if result.outcome == pb.IngestDocumentsResponse.OUTCOME_FAILED:
        error = from_status(result.error)
        tally.failures.append((result.document_id, f"{error} ({error.reason})"))


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("files · {task.fields[passages]} passages ·"),
        TimeElapsedColumn(),
        console=console,
    )


def _report(console: Console, tally: _Tally, skipped: int, seconds: float) -> None:
    for name, reason in tally.failures:
        console.print(f"failed {name}: {reason}", style="red", markup=False, highlight=False, soft_wrap=True)
    indexed = tally.outcomes[pb.IngestDocumentsResponse.OUTCOME_INDEXED]
    unchanged = tally.outcomes[pb.IngestDocumentsResponse.OUTCOME_UNCHANGED]
    print(
        f"{indexed} indexed, {unchanged} unchanged, {len(tally.failures)} failed, {skipped} left out; "
        f"{tally.passages} passages in {seconds:.1f} s"
    )


def _prefixes(paths: Sequence[Path]) -> list[str]:
    try:
        return prefixes(paths)
    except PruneError as error:
        raise typer.BadParameter(str(error), param_hint="--prune") from None


def _fact(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise typer.BadParameter(f"{text!r} is not KEY=VALUE", param_hint="--metadata")
    return key, value
