"""`scic ledger`: look at what became of requests."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from scic import errors
from scic.cli.connection import Address, ApiKey, DataDir, connect
from scic.cli.json_output import one_line, print_json
from scic.cli.options import AsJson
from scic.cli.output import output
from scic.cli.show_context_diff import show_context_diff
from scic.cli.show_ledger import LISTING_HEADER, listing_line, show_prompt, show_record
from scic.client import Client
from scic.gateway.v1 import ledger_service_pb2 as pb

ledger = typer.Typer(name="ledger", no_args_is_help=True, rich_markup_mode=None)


_UPPER_CASE_ULID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")


@ledger.callback()
def about() -> None:
    """Look at what became of requests: every passage, its fate and the reason."""


@ledger.command("list")
def list_(
    profile: Annotated[
        str, typer.Option("--profile", "-p", help="Only requests of this profile, NAME or NAME@VERSION.")
    ] = "",
    troubled: Annotated[bool, typer.Option("--troubled", help="Only those that failed or were degraded.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Records to list at most.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, a line for each record.")] = False,
    address: Address = None,
    api_key: ApiKey = None,
    data_dir: DataDir = None,
) -> None:
    """List the requests that the key may see, newest first."""

    async def ask() -> None:
        listed = 0
        async with connect(address, api_key, data_dir) as client:
            records = client.list_records(profile=profile, only_troubled=troubled, page_size=min(limit, 1000))
            async for record in records:
                if not (listed or as_json):
                    print(LISTING_HEADER)
                print(one_line(record) if as_json else listing_line(record))
                listed += 1
                if listed == limit:
                    return
        if not listed:
            which = f"no {'troubled ' if troubled else ''}records{f' of {profile}' if profile else ''}"
            typer.echo(which, err=True)

    asyncio.run(ask())


@ledger.command()
def show(
    record_id: Annotated[
        str, typer.Argument(metavar="[ID]", help="A record, or a request. Default: the newest.", show_default=False)
    ] = "",
    prompt: Annotated[bool, typer.Option("--prompt", help="Show the messages, too.")] = False,
    as_json: AsJson = False,
    address: Address = None,
    api_key: ApiKey = None,
    data_dir: DataDir = None,
) -> None:
    """Explain a request: what was found, what became of it and why, and what it cost."""

    async def ask() -> None:
        async with connect(address, api_key, data_dir) as client:
            name = await _known(client, record_id) if record_id else (await _newest(client)).record_id
            with _explaining(record_id or name):
                record = await client.get_record(name)
        if as_json:
            print_json(record)
            return
        console = output()
        show_record(console, record)
        if prompt:
            show_prompt(console, record.response.messages)

    asyncio.run(ask())


@ledger.command()
def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="The older record, or request.", show_default=False)],
    after: Annotated[str, typer.Argument(metavar="B", help="The newer one.", show_default=False)],
    as_json: AsJson = False,
    address: Address = None,
    api_key: ApiKey = None,
    data_dir: DataDir = None,
) -> None:
    """Say in what two requests differ."""

    async def ask() -> None:
        async with connect(address, api_key, data_dir) as client:
            names = [await _known(client, name) for name in (before, after)]
            with _explaining(before, after):
                found = await client.diff_records(*names)
        _print_diff(found, as_json=as_json)

    asyncio.run(ask())


@ledger.command()
def replay(
    record_id: Annotated[
        str,
        typer.Argument(
            metavar="[ID]",
            help="A record, or a request. Default: the newest that can be run again.",
            show_default=False,
        ),
    ] = "",
    profile: Annotated[
        str, typer.Option("--profile", "-p", help="Recipe to follow. Default: the recorded version.")
    ] = "",
    present_corpus: Annotated[
        bool, typer.Option("--present-corpus", help="Search the corpus as it is now, where it has changed.")
    ] = False,
    as_json: AsJson = False,
    address: Address = None,
    api_key: ApiKey = None,
    data_dir: DataDir = None,
) -> None:
    """Run a request again and say what would change; nothing is stored and nothing is spent."""

    async def ask() -> None:
        async with connect(address, api_key, data_dir) as client:
            if record_id:
                name = await _known(client, record_id)
            else:
                newest = await _newest(client, runnable=True)
                name = newest.record_id
                typer.echo(f"record {name}: {' '.join(newest.question.split())}", err=True)
            with _explaining(record_id or name):
                answer = await client.replay_record(name, profile=profile, present_corpus=present_corpus)
        if as_json:
            print_json(answer)
        else:
            _print_diff(answer.diff, as_json=False)

    asyncio.run(ask())


def _print_diff(found: pb.ContextDiff, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        show_context_diff(output(), found)


async def _newest(client: Client, *, runnable: bool = False) -> pb.RecordSummary:
    """The newest record; `runnable`: the newest whose text was kept."""
    async for record in client.list_records(page_size=20):
        if record.question or not runnable:
            return record
    which = "can be run again" if runnable else "the key may see"
    raise errors.RECORD_NOT_FOUND.error(f"the ledger holds no record that {which}")


async def _known(client: Client, name: str) -> str:
    """The name as the ledger has it: records are in lower case, but a request may have a ULID in upper case."""
    if not _UPPER_CASE_ULID.fullmatch(name):
        return name
    try:
        await client.get_record(name)
    except errors.ScicError as error:
        if error.reason == errors.RECORD_NOT_FOUND.name:
            return name.lower()
        raise
    return name


@contextmanager
def _explaining(*names: str) -> Iterator[None]:
    """Says of which record an error speaks, and by which option it can be helped."""
    which = f": {' or '.join(names)}"
    more = {
        errors.RECORD_NOT_FOUND.name: which,
        errors.RECORD_ERASED.name: which,
        errors.CORPUS_VERSION_GONE.name: "; --present-corpus searches it as it is now",
    }
    try:
        yield
    except errors.ScicError as error:
        if error.reason not in more:
            raise
        sentence = error.message + more[error.reason]
        raise errors.ScicError(
            error.code,
            error.reason,
            sentence,
            metadata=error.metadata,
            field_violations=error.field_violations,
            retry_after=error.retry_after,
        ) from error
