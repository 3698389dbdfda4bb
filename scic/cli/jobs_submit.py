"""`scic jobs submit` and `scic jobs ingest`: leave work to the mesh's workers."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from scic import errors
from scic.cli.connection import Address, ApiKey, DataDir, connect, same_mesh
from scic.cli.context import DEFAULT_MAX_TOKENS
from scic.cli.duration import span
from scic.cli.field_words import in_words
from scic.cli.follow_job import EXIT_NOT_CLEAN, Follower
from scic.cli.ingest_files import (
    ExpiresIn,
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
from scic.cli.job_batches import batches
from scic.cli.job_file import Item, read_requests
from scic.cli.submission import Submission
from scic.cli.text_input import name_of, read_text
from scic.client import Client
from scic.errors import ScicError
from scic.gateway.v1 import context_service_pb2 as context

_EXIT_MISTAKE = 2

_NAME = re.compile(r"[A-Za-z0-9._:-]{0,64}")
_NAME_FORM = "letters, digits and . _ : -, at most 64"

_FIELD = re.compile(r"contexts\.requests\[([0-9]+)\]\.(.+)")

Priority = Annotated[
    int, typer.Option("--priority", min=1, max=5, help="How soon among the tenant's jobs: 1 (last) to 5 (first).")
]
Attempts = Annotated[int, typer.Option("--attempts", min=1, max=10, help="Tries before a job is dead.")]
Retention = Annotated[
    str, typer.Option("--retention", metavar="DURATION", help="How long results are kept after the end: 1m to 7d.")
]
RequestId = Annotated[
    str,
    typer.Option(
        "--request-id",
        help=f"Name of the job, {_NAME_FORM}: the same command with the same name submits nothing twice. Further jobs "
        "of one command get .2, .3 … behind it. Default: a new name, which is printed where the command broke off.",
    ),
]
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Then watch the jobs to their end, as `scic jobs watch`.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, a line for each job, or event where it is watched.")]


def submit(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="Requests, or - for standard input: a JSON object a line; in a file that ends in .yaml a list. Fields "
            "are those of BuildContextRequest: question, max_tokens, profile, sources …",
            show_default=False,
        ),
    ],
    questions: Annotated[bool, typer.Option("--questions", help="Each line of the file is a question.")] = False,
    max_tokens: Annotated[
        int | None,
        typer.Option(
            "--max-tokens",
            "-n",
            help="Bound for all tokens of a request that names none. Default: the profile's; 2000 without a profile.",
        ),
    ] = None,
    profile: Annotated[
        str, typer.Option("--profile", "-p", help="Recipe to follow for a request that names none.")
    ] = "",
    priority: Priority = 3,
    attempts: Attempts = 3,
    retention: Retention = "1d",
    request_id: RequestId = "",
    watch: Watch = False,
    as_json: AsJson = False,
    address: Address = None,
    api_key: ApiKey = None,
    data_dir: DataDir = None,
) -> None:
    """Build many contexts in the background.

    A job is made for up to 1,000 requests or 4 MiB, more jobs for more. What was submitted survives a crash of the
    mesh. Documents go in by `scic jobs ingest`.

    Where the mesh has no room for a further job, it waits up to a minute at a time.

    Exit code 0: all was submitted, and with --watch came out well; 1: it did not, or only some jobs were submitted;
    2: nothing was done.
    """
    kept = _retention(retention)
    items, mistakes = read_requests(read_text(file), name_of(file), questions=questions)
    if mistakes:
        _tell(name_of(file), mistakes)
    if not items:
        raise typer.BadParameter(f"{name_of(file)} holds no request", param_hint="FILE")
    for _, request in items:
        request.profile = request.profile or profile
        request.max_tokens = request.max_tokens or max_tokens or (0 if request.profile else DEFAULT_MAX_TOKENS)
    _check_name(request_id)
    jobs, place = asyncio.run(_batched(items)), same_mesh(address, data_dir)
    following = Follower(as_json=as_json, place=place)
    submission = Submission(request_id, as_json=as_json, place=place, total=len(jobs))

    async def ask() -> None:
        done = 0
        async with connect(address, api_key, data_dir) as client:
            for batch in jobs:
                send = partial(
                    client.submit_contexts,
                    batch,
                    request_id=next(submission.request_ids),
                    priority=priority,
                    max_attempts=attempts,
                    retention=kept,
                )
                with _placing(name_of(file), items[done:]):
                    answer = await submission.put(send)
                done += len(batch)
                submission.note(answer)
            await _then(client, submission, following, watch=watch, quiet=as_json)

    _run(ask, submission, following)


def ingest(
    paths: Paths,
    source: Source = "",
    metadata: Metadata = None,
    acl: Groups = None,
    subject: Subjects = None,
    expires_in: ExpiresIn = None,
    untrusted: Untrusted = False,
    verbose: Verbose = False,
    priority: Priority = 3,
    attempts: Attempts = 3,
    retention: Retention = "1d",
    request_id: RequestId = "",
    watch: Watch = False,
    as_json: AsJson = False,
    address: Address = None,
    api_key: ApiKey = None,
    data_dir: DataDir = None,
) -> None:
    """Ingest files and folders in the background.

    It takes what `scic ingest` takes, and leaves the work to the mesh's workers. A job is made for up to 1,000 files
    or 4 MiB, more jobs for more.

    Exit code 0: all was submitted, and with --watch came out well; 1: some files did not, each is named;
    2: nothing was done.
    """
    kept = _retention(retention)
    common = common_fields(source, metadata or (), acl or (), subject or (), expires_in, untrusted=untrusted)
    console = Console(stderr=True)
    files = find_files(paths, console, verbose=verbose)
    _check_name(request_id)
    place = same_mesh(address, data_dir)
    following, submission = Follower(as_json=as_json, place=place), Submission(request_id, as_json=as_json, place=place)
    names: dict[str, list[str]] = {}

    async def put(client: Client) -> None:
        async for batch in batches(documents(files, common)):
            send = partial(
                client.submit_documents,
                batch,
                request_id=next(submission.request_ids),
                priority=priority,
                max_attempts=attempts,
                retention=kept,
            )
            try:
                answer = await submission.put(send)
            except ScicError as error:
                if error.reason != errors.REQUEST_TOO_LARGE.name or len(batch) > 1:
                    raise
                files.failures.append((batch[0].document_id, f"{error}; `scic ingest` takes it"))
                continue
            submission.note(answer)
            names[answer.job.job_id] = [document.document_id for document in batch]

    async def ask() -> None:
        async with connect(address, api_key, data_dir) as client:
            try:
                await put(client)
            finally:
                name_failures(console, files.failures)
            if not as_json:
                submitted = sum(map(len, names.values()))
                print(f"{submitted} submitted, {len(files.failures)} failed, {len(files.skipped)} left out", flush=True)
            await _then(client, submission, following, watch=watch, quiet=as_json)
            if watch:
                name_failures(console, [failure async for failure in _failures(client, names)])

    _run(ask, submission, following)
    if files.failures:
        raise typer.Exit(EXIT_NOT_CLEAN)


def _retention(text: str) -> timedelta:
    try:
        return span(text).ToTimedelta()
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} {error}", param_hint="--retention") from None


def _check_name(request_id: str) -> None:
    if not _NAME.fullmatch(request_id):
        raise typer.BadParameter(f"{request_id!r} is not {_NAME_FORM}", param_hint="--request-id")


async def _failures(client: Client, names: Mapping[str, Sequence[str]]) -> AsyncIterator[tuple[str, str]]:
    """The documents of jobs that did not go in, and why."""
    for job_id, documents_ in names.items():
        async for result in client.job_results(job_id, page_size=100):
            status = result.error if result.HasField("error") else result.document.error
            if status.code:
                error = errors.from_status(status)
                yield documents_[result.index], f"{error} ({error.reason})"


async def _batched(items: Sequence[Item]) -> list[list[context.BuildContextRequest]]:
    return [batch async for batch in batches(_requests(items))]


async def _requests(items: Sequence[Item]) -> AsyncIterator[context.BuildContextRequest]:
    for item in items:
        yield item.request


async def _then(client: Client, submission: Submission, following: Follower, *, watch: bool, quiet: bool) -> None:
    """Watches the jobs, or says how to."""
    submission.complete = True
    submitted = submission.job_ids
    if not submitted:
        typer.echo("nothing was submitted", err=True)
    elif watch:
        await following.follow_all(client, submitted)
    elif not quiet:
        submission.tell_how_to_go_on()


def _run(ask: Callable[[], Coroutine[None, None, None]], submission: Submission, following: Follower) -> None:
    with submission.explained(following):
        asyncio.run(ask())
    following.end()


@contextmanager
def _placing(file: str, items: Sequence[Item]) -> Iterator[None]:
    """Names requests that the server refuses by their places in the file."""
    try:
        yield
    except ScicError as error:
        if error.reason != errors.INVALID_FIELD.name:
            raise
        places = [(_FIELD.fullmatch(field), said) for field, said in error.field_violations]
        if not all(found for found, _ in places):
            raise
        _tell(file, [(f"{items[int(found[1])].place}: {found[2]}", in_words(said)) for found, said in places if found])


def _tell(file: str, mistakes: Sequence[tuple[str, str]]) -> NoReturn:
    for place, said in mistakes:
        print(f"scic: {f'{file}: ' if place != file else ''}{place}: {said}", file=sys.stderr)
    raise typer.Exit(_EXIT_MISTAKE)
