"""`scic ingest`: send files to the mesh."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from scic.cli.connection import Address, ApiKey, DataDir, connect
from scic.cli.ingest_files import (
    ExpiresIn,
    Files,
    Groups,
    Metadata,
    Paths,
    Source,
    Subjects,
    Untrusted,
    Verbose,
    common_fields,
    documents,
    find_files,
    name_failures,
)
from scic.cli.prune import PruneError, delete_unsent, prefixes
from scic.errors import ScicError, from_status
from scic.gateway.v1 import corpus_service_pb2 as pb

EXIT_SOME_FAILED = 1
"""Some files did not go in; each was named."""

Prune = Annotated[
    bool,
    typer.Option(
        "--prune", help="Then delete stored documents of the given folders that were not sent; not if a file failed."
    ),
]


@dataclass(slots=True)
class _Tally:
    """What happened so far."""

    outcomes: Counter["pb.IngestDocumentsResponse.Outcome.ValueType"] = field(default_factory=Counter)
    passages: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    corpus_version: int = 0


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

    It waits until all is stored; `scic jobs ingest` leaves the same to the mesh's workers.

    Exit code 0: everything went in; 1: some files did not, each is named; 2: nothing was done.
    """
    common = common_fields(source, metadata or (), acl or (), subject or (), expires_in, untrusted=untrusted)
    beginnings = _prefixes(paths) if prune else []
    console = Console(stderr=True)
    files = find_files(paths, console, verbose=verbose)
    tally = _Tally(failures=files.failures)

    async def send() -> None:
        async with connect(address, api_key, data_dir) as client:
            async for result in client.ingest_documents(documents(files, common)):
                _count(result, tally)
                progress.update(task, completed=tally.outcomes.total(), passages=tally.passages)
            tally.corpus_version = client.corpus_version

    async def delete() -> int:
        async with connect(address, api_key, data_dir) as client:
            return await delete_unsent(client, beginnings, {file.document_id for file in files.found})

    start = time.monotonic()
    with _progress(console) as progress:
        task = progress.add_task("ingesting", total=len(files.found), passages=0)
        try:
            asyncio.run(send())
        except ScicError as error:
            if not tally.outcomes:
                raise
            rest = len(files.found) - tally.outcomes.total()
            tally.failures.append((f"{rest} files", f"the stream broke: {error}; give the same command again"))
    _report(console, tally, len(files.skipped), time.monotonic() - start)
    if kept := _why_nothing_is_pruned(beginnings, files, tally):
        console.print(kept, highlight=False)
    elif prune:
        print(f"{asyncio.run(delete())} deleted that the folders no longer have")
    if tally.failures:
        raise typer.Exit(EXIT_SOME_FAILED)


def _why_nothing_is_pruned(beginnings: Sequence[str], files: Files, tally: _Tally) -> str | None:
    if beginnings and tally.failures:
        return "nothing was deleted, since not every file went in"
    for folder in beginnings:
        # A folder that is not mounted looks just so.
        if not any(file.document_id.startswith(folder) for file in files.found):
            return f"nothing was deleted, since {folder} holds no file to ingest"
    return None


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
    name_failures(console, tally.failures)
    indexed = tally.outcomes[pb.IngestDocumentsResponse.OUTCOME_INDEXED]
    unchanged = tally.outcomes[pb.IngestDocumentsResponse.OUTCOME_UNCHANGED]
    print(
        f"{indexed} indexed, {unchanged} unchanged, {len(tally.failures)} failed, {skipped} left out; "
        f"{tally.passages} passages in {seconds:.1f} s"
        + (f"; corpus version {tally.corpus_version}" if tally.corpus_version else "")
    )
    if indexed:
        said = (
            "a cached context knows what changed, but may miss what is new for up to a minute; "
            "`scic context --fresh` takes none"
        )
        console.print(said, highlight=False, soft_wrap=True)


def _prefixes(paths: Sequence[Path]) -> list[str]:
    try:
        return prefixes(paths)
    except PruneError as error:
        raise typer.BadParameter(str(error), param_hint="--prune") from None
