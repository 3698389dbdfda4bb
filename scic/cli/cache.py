"""`scic cache`: look at the cache, and empty it."""

import asyncio
from typing import Annotated

import typer

from scic.cli.connection import Address, ApiKey, DataDir, connect
from scic.cli.counted import counted
from scic.cli.json_output import print_json
from scic.cli.options import AsJson, Yes
from scic.cli.output import output
from scic.cli.show_cache import show_cache_stats

cache = typer.Typer(name="cache", no_args_is_help=True, rich_markup_mode=None)


@cache.callback()
def about() -> None:
    """Look at the cache of the key's tenant, and empty it."""


@cache.command()
def stats(
    as_json: AsJson = False,
    address: Address = None,
    api_key: ApiKey = None,
    data_dir: DataDir = None,
) -> None:
    """Count what is kept, and how it served."""

    async def ask() -> None:
        async with connect(address, api_key, data_dir) as client:
            counts = await client.cache_stats()
        if as_json:
            print_json(counts)
        else:
            show_cache_stats(output(), counts)

    asyncio.run(ask())


@cache.command()
def flush(
    tenant: Annotated[
        str, typer.Option("--tenant", help="The key's tenant, which is named to confirm it.", show_default=False)
    ],
    yes: Yes = False,
    address: Address = None,
    api_key: ApiKey = None,
    data_dir: DataDir = None,
) -> None:
    """Remove all stored replies and selections.

    Documents, jobs and limits stay. The key needs the role operator.
    """

    async def ask() -> int:
        async with connect(address, api_key, data_dir) as client:
            return await client.flush_cache(tenant)

    if not yes:
        typer.confirm(f"Empty the cache of the tenant {tenant!r}? All is computed anew then.", abort=True, err=True)
    print(f"{counted(asyncio.run(ask()), 'entry', 'entries')} removed")
