"""`scic profiles`: publish recipes, look at them, and say which one answers."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterable
from typing import Annotated

import typer

from scic import errors
from scic.cli.connection import Address, ApiKey, DataDir, NoConnectionError, connect
from scic.cli.field_words import in_words
from scic.cli.json_output import one_line, print_json
from scic.cli.options import AsJson
from scic.cli.profile_file import read_profile, write_profile
from scic.cli.profile_listing import lines_of_names, lines_of_versions
from scic.cli.profile_mistakes import Mistake, further_mistakes
from scic.cli.show_profiles import compared_line, head_lines, move_line, recipe_lines, split_line
from scic.cli.text_input import name_of, read_text
from scic.cli.variants import VERSION, find_versions, option_of, read_variants
from scic.client import Client
from scic.errors import ScicError
from scic.gateway.v1 import profile_service_pb2 as pb

profiles = typer.Typer(name="profiles", no_args_is_help=True, rich_markup_mode=None)

_EXIT_MISTAKE = 2

Name = Annotated[str, typer.Argument(metavar="NAME", help="The profile's name.", show_default=False)]
Reference = Annotated[
    str,
    typer.Argument(
        metavar="REF",
        help="NAME (its label live), NAME@LABEL, NAME@LABEL~1 (what that was before) or NAME@VERSION.",
        show_default=False,
    ),
]


@profiles.callback()
def about() -> None:
    """Publish recipes, look at them, and say which one answers."""


@profiles.command()
def publish(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="The recipe in YAML, or - for standard input.", show_default=False)
    ],
    name: Annotated[str, typer.Option("--name", help="What it is called. Default: what the file says.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check it, say its version, and store nothing.")] = False,
    as_json: AsJson = False,
    address: Address = None,
    api_key: ApiKey = None,
    data_dir: DataDir = None,
) -> None:
    """Store a recipe as a version; the first one of a name answers at once, later ones once a label is moved."""
    own_name, profile, mistakes = read_profile(read_text(file), name_of(file))
    called = name or own_name
    if not called and "name" not in dict(mistakes):
        mistakes.append(("name", "must be given, here or with --name"))

    async def ask() -> pb.PublishProfileResponse | None:
        async with connect(address, api_key, data_dir) as client:
            return await _published(client, called, profile, mistakes, dry_run=dry_run)

    try:
        response = asyncio.run(ask())
    except (NoConnectionError, ScicError) as error:
        if not mistakes:
            raise
        _tell([*mistakes, ("what else may be wrong", f"could not be checked: {error}")])
        raise typer.Exit(_EXIT_MISTAKE) from None
    if response is None:
        _tell(mistakes)
        raise typer.Exit(_EXIT_MISTAKE)
    if as_json:
        print_json(response)
        return
    version = response.version
    known = "" if response.created else ", known already"
    labels = f" · {', '.join(version.labels)}" if version.labels else ""
    print(f"{'would publish' if dry_run else 'published'} {version.name}@{version.version}{known}{labels}")


@profiles.command("list")
def list_(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Only this profile, all its versions.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, a line for each version.")] = False,
    address: Address = None,
    api_key: ApiKey = None,
    data_dir: DataDir = None,
) -> None:
    """List what answers of each profile, and its newest version; or the versions and labels of one."""
    if "@" in name:
        raise typer.BadParameter("a name is wanted, without label or version", param_hint="NAME")

    async def ask() -> None:
        begun = False
        async with connect(address, api_key, data_dir) as client:
            lines: AsyncIterator[str]
            if as_json:
                lines = (one_line(version) async for version in client.list_profiles(name))
            else:
                lines = lines_of_versions(client, name) if name else lines_of_names(client)
            async for line in lines:
                begun = True
                print(line)
            if name and not begun:
                # It says that there is none, save for the built-in one.
                await client.get_profile(name)
                print(f"{name} is built in and has no versions; see `scic profiles show {name}`", file=sys.stderr)

    asyncio.run(ask())


@profiles.command()
def show(
    reference: Reference,
    as_json: Annotated[
        bool, typer.Option("--json/--yaml", help="Print the reply as JSON, or the recipe as a file to publish.")
    ] = False,
    address: Address = None,
    api_key: ApiKey = None,
    data_dir: DataDir = None,
) -> None:
    """Show a version: its recipe as a file that can be changed and published."""

    async def ask() -> pb.GetProfileResponse:
        async with connect(address, api_key, data_dir) as client:
            return await client.get_profile(reference)

    found = asyncio.run(ask())
    if as_json:
        print_json(found)
        return
    for line in head_lines(found):
        print(line)
    print(write_profile(found.version.name, found.version.profile), end="")


@profiles.command()
def diff(
    from_: Annotated[str, typer.Argument(metavar="FROM", help="The older version, as in `show`.", show_default=False)],
    to: Annotated[str, typer.Argument(metavar="TO", help="The newer one.", show_default=False)],
    as_json: AsJson = False,
    address: Address = None,
    api_key: ApiKey = None,
    data_dir: DataDir = None,
) -> None:
    """Say in which fields two versions differ, and in which shares two labels."""

    async def ask() -> tuple[pb.DiffProfilesResponse, str]:
        async with connect(address, api_key, data_dir) as client:
            compared = await client.diff_profiles(from_, to)
            before, after = [await _label_of(client, reference) for reference in (from_, to)]
            return compared, split_line(before, after)

    compared, split = asyncio.run(ask())
    if as_json:
        print_json(compared)
        return
    print(compared_line(compared))
    if split:
        print(split)
    for change in compared.changes:
        for line in recipe_lines(change):
            print(line)
    if not compared.changes:
        print("no difference in the recipe with the largest share" if split else "no difference")


@profiles.command()
def label(
    name: Name,
    label_: Annotated[str, typer.Argument(metavar="LABEL", help="The label, such as live.", show_default=False)],
    versions: Annotated[
        list[str],
        typer.Argument(
            metavar="VERSION[=PERCENT]...",
            help="What shall answer: a version, or a label for what it leads to, either also behind NAME@; one of them "
            "without a percentage gets the rest.",
            show_default=False,
        ),
    ],
    expected: Annotated[
        int | None, typer.Option("--expected", help="Move it only if this is its generation; 0: if it is new.")
    ] = None,
    tenant: Annotated[
        list[str] | None,
        typer.Option(
            "--tenant",
            metavar="TENANT=VERSION",
            help="Give a tenant this version whatever the shares; only for shared profiles; can be given again.",
        ),
    ] = None,
    as_json: AsJson = False,
    address: Address = None,
    api_key: ApiKey = None,
    data_dir: DataDir = None,
) -> None:
    """Move a label to a version, or split it among several."""
    written = read_variants(versions, tenant or [])

    async def ask() -> pb.SetLabelResponse:
        async with connect(address, api_key, data_dir) as client:
            variants = await find_versions(client, name, written)
            try:
                return await client.set_label(name, label_, variants, expected_generation=expected)
            except ScicError as error:
                if error.reason != errors.INVALID_FIELD.name:
                    raise
                _tell((option_of(field, variants), in_words(said)) for field, said in error.field_violations)
                raise typer.Exit(_EXIT_MISTAKE) from None

    _show_move(asyncio.run(ask()), as_json=as_json)


@profiles.command()
def rollback(
    name: Name,
    label_: Annotated[str, typer.Argument(metavar="[LABEL]", help="The label.")] = "live",
    as_json: AsJson = False,
    address: Address = None,
    api_key: ApiKey = None,
    data_dir: DataDir = None,
) -> None:
    """Move a label back to what it was before its last move."""

    async def ask() -> pb.SetLabelResponse:
        async with connect(address, api_key, data_dir) as client:
            found = await client.get_profile(f"{name}@{label_}~1")
            before = next(label for label in found.labels if label.label == label_)
            # Somebody who moves it meanwhile must not be undone by mistake.
            return await client.set_label(name, label_, before.variants, expected_generation=before.generation + 1)

    _show_move(asyncio.run(ask()), as_json=as_json)


async def _published(
    client: Client, name: str, profile: pb.Profile, mistakes: list[Mistake], *, dry_run: bool
) -> pb.PublishProfileResponse | None:
    """The reply; None where there are mistakes, which then are all in the list."""
    if mistakes:
        mistakes.extend(await further_mistakes(client, name, profile, mistakes))
        return None
    try:
        return await client.publish_profile(name, profile, dry_run=dry_run)
    except ScicError as error:
        if error.reason != errors.INVALID_FIELD.name:
            raise
        mistakes.extend(await further_mistakes(client, name, profile, ()))
        if not mistakes:
            raise
        return None


async def _label_of(client: Client, reference: str) -> pb.Label | None:
    """The label that a reference goes by, as it is or was; None where it names a version, or what is built in."""
    rest = reference.partition("@")[2]
    if VERSION.fullmatch(rest):
        return None
    wanted = rest.partition("~")[0] or "live"
    labels = (await client.get_profile(reference)).labels
    return next((label for label in labels if label.label == wanted), None)


def _tell(mistakes: Iterable[Mistake]) -> None:
    for path, expectation in mistakes:
        print(f"scic: {path}: {expectation}", file=sys.stderr)


def _show_move(moved: pb.SetLabelResponse, *, as_json: bool) -> None:
    if as_json:
        print_json(moved)
    else:
        print(move_line(moved))
