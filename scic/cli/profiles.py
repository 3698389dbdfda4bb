"""`scic profiles`: publish recipes, look at them, and say which one answers."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from scic import errors
from scic.cli.connection import Address, ApiKey, DataDir, connect
from scic.cli.json_output import one_line, print_json
from scic.cli.profile_file import read_profile, write_profile
from scic.cli.show_profiles import LISTING_HEADER, change_lines, head_lines, label_line, listing_line, move_line
from scic.errors import ScicError
from scic.gateway.v1 import profile_service_pb2 as pb

profiles = typer.Typer(name="profiles", no_args_is_help=True, rich_markup_mode=None)

_EXIT_MISTAKE = 2
_HUNDRED = 100

AsJson = Annotated[bool, typer.Option("--json", help="Print the reply as JSON.")]
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

    async def ask() -> pb.PublishProfileResponse:
        own_name, profile = read_profile(_read(file))
        if not (name or own_name):
            raise typer.BadParameter("the file has no `name`; give one with --name", param_hint="FILE")
        async with connect(address, api_key, data_dir) as client:
            return await client.publish_profile(name or own_name, profile, dry_run=dry_run)

    try:
        response = asyncio.run(ask())
    except ScicError as error:
        # One sentence has no room for all that may be wrong with a file.
        if len(error.field_violations) <= 1:
            raise
        for field, expectation in error.field_violations:
            print(f"scic: {field}: {expectation}", file=sys.stderr)
        raise typer.Exit(_EXIT_MISTAKE) from None
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
    """List the newest version of each profile, or the versions and labels of one."""

    async def ask() -> None:
        begun = as_json
        async with connect(address, api_key, data_dir) as client:
            async for version in client.list_profiles(name):
                if not begun:
                    print(LISTING_HEADER)
                    begun = True
                print(one_line(version) if as_json else listing_line(version))
            if name and begun and not as_json:
                for label in (await client.get_profile(name)).labels:
                    print(label_line(label))

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
    """Say in which fields two versions differ."""

    async def ask() -> pb.DiffProfilesResponse:
        async with connect(address, api_key, data_dir) as client:
            return await client.diff_profiles(from_, to)

    compared = asyncio.run(ask())
    if as_json:
        print_json(compared)
        return
    older, newer = compared.from_version, compared.to_version
    print(f"{older.name}@{older.version} → {newer.name}@{newer.version}")
    for change in compared.changes:
        for line in change_lines(change):
            print(line)
    if not compared.changes:
        print("no difference")


@profiles.command()
def label(
    name: Name,
    label_: Annotated[str, typer.Argument(metavar="LABEL", help="The label, such as live.", show_default=False)],
    versions: Annotated[
        list[str],
        typer.Argument(
            metavar="VERSION[=PERCENT]...",
            help="What shall answer; one of them without a percentage gets the rest.",
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
    variants = _variants(versions, tenant or [])

    async def ask() -> pb.SetLabelResponse:
        async with connect(address, api_key, data_dir) as client:
            return await client.set_label(name, label_, variants, expected_generation=expected)

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
            try:
                found = await client.get_profile(f"{name}@{label_}~1")
            except ScicError as error:
                if error.reason != errors.PROFILE_NOT_FOUND.name:
                    raise
                raise errors.PROFILE_NOT_FOUND.error(
                    f"{name}@{label_} was nothing before, so there is no way back"
                ) from None
            before = next(label for label in found.labels if label.label == label_)
            # Somebody who moves it meanwhile must not be undone by mistake.
            return await client.set_label(name, label_, before.variants, expected_generation=before.generation + 1)

    _show_move(asyncio.run(ask()), as_json=as_json)


def _show_move(moved: pb.SetLabelResponse, *, as_json: bool) -> None:
    if as_json:
        print_json(moved)
    else:
        print(move_line(moved))


def _read(file: str) -> str:
    try:
        return sys.stdin.buffer.read().decode() if file == "-" else Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise typer.BadParameter(f"{file}: {(error.strerror or str(error)).lower()}", param_hint="FILE") from None
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{file}: not UTF-8 at byte {error.start}", param_hint="FILE") from None


def _variants(versions: list[str], tenants: list[str]) -> list[pb.Variant]:
    """What `VERSION[=PERCENT]` and `TENANT=VERSION` say."""
    variants: dict[str, pb.Variant] = {}
    open_ones = []
    for text in versions:
        version, given, percent = text.partition("=")
        variant = variants[version] = pb.Variant(version=version)
        if not given:
            open_ones.append(variant)
            continue
        try:
            variant.percent = float(percent.removesuffix("%"))
        except ValueError:
            raise typer.BadParameter(f"{text!r} is not VERSION or VERSION=PERCENT", param_hint="VERSION") from None
    rest = _HUNDRED - sum(variant.percent for variant in variants.values())
    if len(open_ones) > 1 or len(variants) < len(versions) or (open_ones and rest < 0):
        raise typer.BadParameter(
            "name each version once, all but one with a percentage, at most 100 together", param_hint="VERSION"
        )
    for variant in open_ones:
        variant.percent = round(rest, 2)
    for text in tenants:
        tenant, given, version = text.partition("=")
        if not (tenant and given and version):
            raise typer.BadParameter(f"{text!r} is not TENANT=VERSION", param_hint="--tenant")
        variants.setdefault(version, pb.Variant(version=version)).tenants.append(tenant)
    return list(variants.values())
