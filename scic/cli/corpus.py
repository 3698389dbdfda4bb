"""`scic corpus`: look at what is stored, and remove it."""

import asyncio
import sys
from typing import Annotated

import typer

from scic.cli.connection import Address, ApiKey, DataDir, connect
from scic.cli.json_output import one_line, print_json
from scic.cli.options import AsJson, Yes
from scic.cli.output import output
from scic.cli.show_corpus import LISTING_HEADER, listing_line, show_receipt, show_record, show_stats
from scic.gateway.v1 import corpus_service_pb2 as pb

corpus = typer.Typer(name="corpus", no_args_is_help=True, rich_markup_mode=None)


_ERASURE_TIMEOUT = 60.0
"""Seconds, the most that the mesh takes: what is erased is overwritten, which takes longer than a mark."""


@corpus.callback()
def about() -> None:
    """Look at what is stored, and remove it."""


@corpus.command("list")
def list_(
    source: Annotated[str, typer.Option("--source", "-s", help="Only documents of this source.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, a line for each document.")] = False,
    address: Address = None,
    api_key: ApiKey = None,
    data_dir: DataDir = None,
) -> None:
    """List the documents that the key may see, in the order of their ids."""

    async def ask() -> None:
        begun = as_json
        async with connect(address, api_key, data_dir) as client:
            async for document in client.list_documents(source=source, page_size=1000):
                if not begun:
                    print(LISTING_HEADER)
                    begun = True
                print(one_line(document) if as_json else listing_line(document))

    asyncio.run(ask())


@corpus.command()
def show(
    document_id: Annotated[str, typer.Argument(metavar="ID", help="The document's id.", show_default=False)],
    as_json: AsJson = False,
    address: Address = None,
    api_key: ApiKey = None,
    data_dir: DataDir = None,
) -> None:
    """Show all that is known of a document."""

    async def ask() -> None:
        async with connect(address, api_key, data_dir) as client:
            document = await client.get_document(document_id)
        if as_json:
            print_json(document)
        else:
            show_record(output(), document)

    asyncio.run(ask())


@corpus.command()
def delete(
    document_ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of documents.", show_default=False)],
    as_json: AsJson = False,
    address: Address = None,
    api_key: ApiKey = None,
    data_dir: DataDir = None,
) -> None:
    """Delete documents, every cached reply, and the ledger's records of them. Ids that do not exist are no error."""

    async def ask() -> None:
        async with connect(address, api_key, data_dir) as client:
            response = await client.delete_documents(document_ids, timeout=_ERASURE_TIMEOUT)
        if as_json:
            print_json(response)
            return
        for document_id in response.deleted_document_ids:
            print(f"deleted {document_id}")
        for document_id in dict.fromkeys(document_ids):
            if document_id not in response.deleted_document_ids:
                print(f"no such document: {document_id}", file=sys.stderr)
        show_receipt(output(), response.receipt)
        if response.corpus_version:
            print(f"corpus version {response.corpus_version}")

    asyncio.run(ask())


@corpus.command()
def erase(
    subject: Annotated[str | None, typer.Option("--subject", help="Erase every document about this subject.")] = None,
    tenant: Annotated[
        str | None, typer.Option("--tenant", help="Erase all of the key's tenant, which is named to confirm it.")
    ] = None,
    yes: Yes = False,
    as_json: AsJson = False,
    address: Address = None,
    api_key: ApiKey = None,
    data_dir: DataDir = None,
) -> None:
    """Erase a subject or the whole tenant, whoever may see the documents; the key needs the role admin."""
    if (subject is None) == (tenant is None):
        raise typer.BadParameter("give one of --subject and --tenant", param_hint="erase")

    async def ask() -> pb.EraseSubjectResponse | pb.EraseTenantResponse:
        async with connect(address, api_key, data_dir) as client:
            if subject is not None:
                return await client.erase_subject(subject, timeout=_ERASURE_TIMEOUT)
            assert tenant is not None, "one of the two is given"
            return await client.erase_tenant(tenant, timeout=_ERASURE_TIMEOUT)

    if not yes:
        what = f"every document about {subject!r}" if subject is not None else f"all of the tenant {tenant!r}"
        typer.confirm(f"Erase {what}? It cannot be undone.", abort=True, err=True)
    response = asyncio.run(ask())
    if as_json:
        print_json(response)
    else:
        show_receipt(output(), response.receipt)


@corpus.command()
def stats(as_json: AsJson = False, address: Address = None, api_key: ApiKey = None, data_dir: DataDir = None) -> None:
    """Count what the key may see, and say how far a re-indexing is."""

    async def ask() -> None:
        async with connect(address, api_key, data_dir) as client:
            counts = await client.get_corpus_stats()
        if as_json:
            print_json(counts)
        else:
            show_stats(output(), counts)

    asyncio.run(ask())
