"""`scic ledger`: look at what became of requests."""

import asyncio
from typing import Annotated

import typer
from rich.console import Console

from scic import errors
from scic.cli.connection import Address, ApiKey, DataDir, connect
from scic.cli.json_output import one_line, print_json
from scic.cli.show_ledger import LISTING_HEADER, listing_line, show_diff, show_prompt, show_record
from scic.client import Client
from scic.gateway.v1 import ledger_service_pb2 as pb

ledger = typer.Typer(name="ledger", no_args_is_help=True, rich_markup_mode=None)

RecordId = Annotated[str, typer.Argument(metavar="ID", help="A record, or a request.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print the reply as JSON.")]


NewestId = Annotated[
    str, typer.Argument(metavar="[ID]", help="A record, or a request. Default: the newest.", show_default=False)
]


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
        left = limit
        if not as_json:
            print(LISTING_HEADER)
        async with connect(address, api_key, data_dir) as client:
            records = client.list_records(profile=profile, only_troubled=troubled, page_size=min(limit, 1000))
            async for record in records:
                print(one_line(record) if as_json else listing_line(record))
                left -= 1
                if not left:
                    return

    asyncio.run(ask())


@ledger.command()
def show(
    record_id: NewestId = "",
    prompt: Annotated[bool, typer.Option("--prompt", help="Show the messages, too.")] = False,
    as_json: AsJson = False,
    address: Address = None,
    api_key: ApiKey = None,
    data_dir: DataDir = None,
) -> None:
    """Explain a request: what was found, what became of it and why, and what it cost."""

    async def ask() -> None:
        async with connect(address, api_key, data_dir) as client:
            record = await client.get_record(record_id or await _newest(client))
        if as_json:
            print_json(record)
            return
        console = Console()
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
            _print_diff(await client.diff_records(before, after), as_json=as_json)

    asyncio.run(ask())


@ledger.command()
def replay(
    record_id: NewestId = "",
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
            newest = record_id or await _newest(client)
            answer = await client.replay_record(newest, profile=profile, present_corpus=present_corpus)
        if as_json:
            print_json(answer)
        else:
            _print_diff(answer.diff, as_json=False)

    asyncio.run(ask())


def _print_diff(found: pb.ContextDiff, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        show_diff(Console(), found)


async def _newest(client: Client) -> str:
    async for record in client.list_records(page_size=1):
        return record.record_id
    raise errors.RECORD_NOT_FOUND.error("the ledger holds no record that the key may see")
