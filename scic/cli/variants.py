"""What shall answer to a label, as people write it: versions or labels, with percentages and tenants."""

import re
from collections.abc import Sequence

import typer

from scic.cli.show_profiles import shares
from scic.client.profile_methods import ProfileMethods
from scic.gateway.v1 import profile_service_pb2 as pb

VERSION = re.compile("[0-9a-f]{16}")

_LABEL = re.compile("(?P<label>[a-z][a-z0-9_-]{0,31})(?:~[1-9][0-9]?)?")
_OF_VARIANT = re.compile(r"variants\[([0-9]+)\]\.(\w+)")
_HUNDRED = 100


def read_variants(versions: Sequence[str], tenants: Sequence[str]) -> list[pb.Variant]:
    """What `VERSION[=PERCENT]` and `TENANT=VERSION` say; versions are still as they are written."""
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


async def find_versions(client: ProfileMethods, name: str, variants: Sequence[pb.Variant]) -> list[pb.Variant]:
    """The same with versions for all that names them; what names the same version is one variant."""
    found: dict[str, pb.Variant] = {}
    for variant in variants:
        version = await _find_version(client, name, variant.version)
        one = found.setdefault(version, pb.Variant(version=version))
        one.percent += variant.percent
        one.tenants.extend(variant.tenants)
    return list(found.values())


def option_of(field: str, variants: Sequence[pb.Variant]) -> str:
    """What was written for the field that a refusal names."""
    if field == "variants":
        return "VERSION"
    if variant := _OF_VARIANT.match(field):
        return "--tenant" if variant[2] == "tenants" else variants[int(variant[1])].version
    return field.upper()


async def _find_version(client: ProfileMethods, name: str, text: str) -> str:
    """The version that `VERSION`, `LABEL`, or either behind `NAME@` means."""
    own, at, said = text.rpartition("@")
    if at and own != name:
        raise typer.BadParameter(f"{text!r} is of another profile than {name}", param_hint="VERSION")
    if VERSION.fullmatch(said):
        return said
    form = _LABEL.fullmatch(said)
    if form is None:
        raise typer.BadParameter(
            f"{text!r} is neither a version of 16 hexadecimal digits nor a label", param_hint="VERSION"
        )
    found = await client.get_profile(f"{name}@{said}")
    led = next((label for label in found.labels if label.label == form["label"]), None)
    if led is None:
        raise typer.BadParameter(f"{name} is built in; there is no version that a label can lead to", param_hint="NAME")
    if len(led.variants) > 1:
        raise typer.BadParameter(f"{said} is several versions: {shares(led.variants)}", param_hint="VERSION")
    return led.variants[0].version
