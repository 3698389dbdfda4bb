"""`scic jobs`: work that is too long to wait for."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Annotated

import typer

from scic import errors
from scic.cli.connection import Address, ApiKey, DataDir, connect, same_mesh
from scic.cli.follow_job import EXIT_LEFT, Follower
from scic.cli.jobs_submit import ingest, submit
from scic.cli.json_output import one_line, print_json
from scic.cli.options import AsJson
from scic.cli.output import output
from scic.cli.show import show_context
from scic.cli.show_jobs import (
    LISTING_HEADER,
    RESULTS_HEADER,
    event_line,
    listing_line,
    missing_line,
    result_line,
    show_job,
)
from scic.errors import ScicError
from scic.gateway.v1 import job_service_pb2 as pb

jobs = typer.Typer(name="jobs", no_args_is_help=True, rich_markup_mode=None)

_POSITION = re.compile(r"[0-9]{1,20}-[0-9]{1,20}")

_EXIT_SOME_FAILED = 1
_EXIT_NO_RESULT = 1

_PASSED_BY = {errors.JOB_NOT_REPLAYABLE.name, errors.JOB_NOT_FOUND.name, errors.ROLE_REQUIRED.name}
"""What one of many jobs may be refused with while the others are replayed."""


class State(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    DEAD = "dead"
    CANCELLED = "cancelled"


JobId = Annotated[str, typer.Argument(metavar="JOB", help="The job, as `submit` prints it.", show_default=False)]
JsonLines = Annotated[bool, typer.Option("--json", help="Print JSON, a line for each.")]


@jobs.callback()
def about() -> None:
    """Have work done that is too long to wait for: batches of contexts, and documents."""


jobs.command()(submit)
jobs.command()(ingest)


@jobs.command()
def show(
    job_id: JobId, as_json: AsJson = False, address: Address = None, api_key: ApiKey = None, data_dir: DataDir = None
) -> None:
    """Show where a job stands."""

    async def ask() -> pb.Job:
        async with connect(address, api_key, data_dir) as client:
            return await client.get_job(job_id)

    job = asyncio.run(ask())
    if as_json:
        print_json(job)
    else:
        show_job(output(), job)


@jobs.command()
def watch(
    job_id: JobId,
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="POSITION",
            help="Go on after this event, such as 1764194023000-0: the position that --json prints of it, or Ctrl-C "
            "of the last one. Default: from the first one kept.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, a line for each event.")] = False,
    address: Address = None,
    api_key: ApiKey = None,
    data_dir: DataDir = None,
) -> None:
    """Watch a job to its end. Ctrl-C leaves it running.

    Exit code 0: all of it came out well; 1: the job is dead or cancelled, or some of its items failed.
    """
    if from_ is not None and not _POSITION.fullmatch(from_):
        raise typer.BadParameter(
            f"{from_!r} is no position; one looks like 1764194023000-0, and stands in what --json and Ctrl-C print",
            param_hint="--from",
        )
    following = Follower(as_json=as_json, place=same_mesh(address, data_dir))

    async def ask() -> None:
        async with connect(address, api_key, data_dir) as client:
            await following.follow(client, job_id, from_ or "")

    try:
        asyncio.run(ask())
    except KeyboardInterrupt:
        typer.echo(err=True)
        following.tell()
        raise typer.Exit(EXIT_LEFT) from None
    following.end()


@jobs.command("list")
def list_(
    state: Annotated[State | None, typer.Option("--state", help="Only jobs in this state.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Jobs to list at most.")] = 20,
    as_json: JsonLines = False,
    address: Address = None,
    api_key: ApiKey = None,
    data_dir: DataDir = None,
) -> None:
    """List the jobs that the key may see, newest first."""

    async def ask() -> int:
        async with connect(address, api_key, data_dir) as client:
            listing = client.list_jobs(state=state.value if state else None, page_size=min(limit, 1000))
            return await _list(listing, limit, as_json=as_json)

    if not asyncio.run(ask()):
        typer.echo(f"no {state.value} jobs" if state else "no jobs", err=True)


@jobs.command()
def results(
    job_id: JobId,
    item: Annotated[
        int | None, typer.Option("--item", min=0, help="Only this item, from 0; a context is printed whole.")
    ] = None,
    as_json: JsonLines = False,
    address: Address = None,
    api_key: ApiKey = None,
    data_dir: DataDir = None,
) -> None:
    """Say what came of a job's items, as far as they are done.

    Exit code 1: there is nothing to say yet, or never will be.
    """

    async def ask() -> pb.Job | None:
        """The job, where there was no result to print."""
        begun = False
        async with connect(address, api_key, data_dir) as client:
            async for result in client.job_results(job_id, page_size=100):
                if item is not None and result.index != item:
                    continue
                if as_json:
                    print(one_line(result))
                elif item is not None and result.HasField("context"):
                    show_context(output(), result.context, explain=False)
                else:
                    print(result_line(result) if begun else f"{RESULTS_HEADER}\n{result_line(result)}")
                begun = True
                if item is not None:
                    break
            return None if begun else await client.get_job(job_id)

    if job := asyncio.run(ask()):
        typer.echo(missing_line(job, item), err=True)
        raise typer.Exit(_EXIT_NO_RESULT)


@jobs.command()
def cancel(
    job_id: JobId, as_json: AsJson = False, address: Address = None, api_key: ApiKey = None, data_dir: DataDir = None
) -> None:
    """End a job; what it has done stays."""

    async def ask() -> pb.Job:
        async with connect(address, api_key, data_dir) as client:
            return await client.cancel_job(job_id)

    job = asyncio.run(ask())
    if as_json:
        print_json(job)
    else:
        print(f"{job.job_id} {event_line(job)}")


@jobs.command()
def dead(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Jobs to list at most.")] = 1000,
    as_json: JsonLines = False,
    address: Address = None,
    api_key: ApiKey = None,
    data_dir: DataDir = None,
) -> None:
    """List dead jobs and their reasons, newest first.

    All their tries failed, or they can never succeed; `replay` puts them in again.
    """

    async def ask() -> int:
        async with connect(address, api_key, data_dir) as client:
            return await _list(client.list_jobs(state="dead", page_size=min(limit, 1000)), limit, as_json=as_json)

    if not asyncio.run(ask()):
        typer.echo("no dead jobs", err=True)


@jobs.command()
def replay(
    job_id: Annotated[str, typer.Argument(metavar="[JOB]", help="A dead or cancelled job.", show_default=False)] = "",
    all_dead: Annotated[bool, typer.Option("--all-dead", help="All dead jobs that the key may see.")] = False,
    as_json: JsonLines = False,
    address: Address = None,
    api_key: ApiKey = None,
    data_dir: DataDir = None,
) -> None:
    """Put a dead or cancelled job in again.

    Items that are done are not done again.

    Exit code 1: some of the dead jobs cannot be replayed; each is named.
    """
    if bool(job_id) == all_dead:
        raise typer.BadParameter("give one of JOB and --all-dead", param_hint="replay")

    async def ask() -> tuple[int, int]:
        """How many were replayed, and how many could not be."""
        replayed = refused = 0
        async with connect(address, api_key, data_dir) as client:
            if job_id:
                _show_replayed(await client.replay_job(job_id), as_json=as_json)
                return 1, 0
            for job in [job async for job in client.list_jobs(state="dead", page_size=1000)]:
                try:
                    _show_replayed(await client.replay_job(job.job_id), as_json=as_json)
                    replayed += 1
                except ScicError as error:
                    if error.reason not in _PASSED_BY:
                        raise
                    print(f"{job.job_id} not replayed: {error}", file=sys.stderr)
                    refused += 1
        return replayed, refused

    replayed, refused = asyncio.run(ask())
    if not replayed and not refused:
        typer.echo("no dead jobs", err=True)
    if refused:
        raise typer.Exit(_EXIT_SOME_FAILED)


async def _list(listing: AsyncIterator[pb.Job], limit: int, *, as_json: bool) -> int:
    """Prints jobs as they come; returns how many there were."""
    listed = 0
    async for job in listing:
        if not (listed or as_json):
            print(LISTING_HEADER)
        print(one_line(job) if as_json else listing_line(job))
        listed += 1
        if listed == limit:
            break
    return listed


def _show_replayed(job: pb.Job, *, as_json: bool) -> None:
    print(one_line(job) if as_json else f"{job.job_id} {event_line(job)}")
