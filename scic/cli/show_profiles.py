"""How profiles look on a terminal."""

import json
from collections.abc import Iterable, Iterator
from difflib import ndiff

from google.protobuf.timestamp_pb2 import Timestamp

from scic.cli.profile_paths import path_of_change
from scic.cli.profile_reading import word_of
from scic.cli.show_corpus import time
from scic.gateway.v1 import profile_service_pb2 as pb
from scic.type.v1 import guard_pb2, prompt_pb2

VERSIONS_HEADER = f"{'name':<24} {'version':<16} {'published':<20} {'by':<16} labels"
NAMES_HEADER = f"{'name':<20} {'label':<10} {'since':<20} answers"

_UNSET = "(not set)"
_ENUMS = tuple(
    enum.DESCRIPTOR
    for enum in (prompt_pb2.PromptFormat, prompt_pb2.EvidenceOrder, guard_pb2.SensitiveType, guard_pb2.GuardAction)
)
_SHORT = 60
"""Characters of a text that still reads well on one line with another one."""


def name_lines(newest: pb.ProfileVersion, labels: Iterable[pb.Label]) -> Iterator[str]:
    """What answers for a name, label by label, and its newest version where no label leads to that."""
    for label in labels:
        yield _name_line(label.name, label.label, label.update_time, shares(label.variants))
    if not newest.labels:
        yield _name_line(newest.name, "-", newest.create_time, f"{newest.version} (newest)")


def _name_line(name: str, label: str, since: Timestamp, answers: str) -> str:
    return f"{name:<20} {label:<10} {time(since):<20} {answers}"


def version_line(version: pb.ProfileVersion) -> str:
    """A version in a line that can be cut into columns."""
    labels = ", ".join(version.labels) or "-"
    return f"{version.name:<24} {version.version} {time(version.create_time):<20} {version.key_id:<16} {labels}"


def label_line(label: pb.Label) -> str:
    """A label, and what answers."""
    return (
        f"{label.name}@{label.label}: {shares(label.variants)} "
        f"(generation {label.generation}, {time(label.update_time)}, {label.key_id})"
    )


def move_line(moved: pb.SetLabelResponse) -> str:
    """What a label was, and what it is now."""
    label = moved.label
    if moved.before.generation == label.generation:
        return f"{label.name}@{label.label}: {shares(label.variants)} already (generation {label.generation})"
    before = shares(moved.before.variants) if moved.HasField("before") else "new"
    return f"{label.name}@{label.label}: {before} → {shares(label.variants)} (generation {label.generation})"


def head_lines(found: pb.GetProfileResponse) -> Iterator[str]:
    """What is known of a version besides its recipe, as comments of its file."""
    version = found.version
    if not version.version:
        yield "# the built-in profile: it answers as long as none of this name is published"
        return
    yield f"# version {version.version}, published {time(version.create_time)} by {version.key_id}"
    for label in found.labels:
        if label.label in version.labels:
            yield f"# {label_line(label)}"


def compared_line(compared: pb.DiffProfilesResponse) -> str:
    """Which versions are compared."""
    return " → ".join(
        f"{version.name}@{version.version}" if version.version else f"{version.name} (built in)"
        for version in (compared.from_version, compared.to_version)
    )


def split_line(before: pb.Label | None, after: pb.Label | None) -> str:
    """How shares differ where one of two labels is split; else "", since the versions say it all."""
    if before is None or after is None or max(len(before.variants), len(after.variants)) == 1:
        return ""
    one, other = (
        sorted((variant.version, variant.percent, *sorted(variant.tenants)) for variant in label.variants)
        for label in (before, after)
    )
    if one == other:
        return ""
    name = "" if before.label == after.label else f"{after.label}: "
    return f"{before.label}: {shares(before.variants)} → {name}{shares(after.variants)}"


def recipe_lines(change: pb.FieldChange) -> Iterator[str]:
    """A field of a recipe that differs, by its place in a file."""
    path = path_of_change(change.field)
    if path.endswith(".name"):
        # Sources and tools are known by their names, so those only come and go.
        yield f"{path.removesuffix('.name')}: {'removed' if change.before else 'added'}"
    else:
        yield from change_lines(pb.FieldChange(field=path, before=change.before, after=change.after))


def change_lines(change: pb.FieldChange) -> Iterator[str]:
    """A field that differs: short values side by side, long texts line by line."""
    before, after = _value(change.before), _value(change.after)
    if max(len(before), len(after)) <= _SHORT and "\n" not in before + after:
        yield f"{change.field}: {before} → {after}"
        return
    yield f"{change.field}:"
    for line in ndiff(before.splitlines(), after.splitlines()):
        if not line.startswith("?"):
            yield f"  {line}"


def _value(text: str) -> str:
    """A value as it reads best: texts as they are, values of enums as a file has them."""
    if not text:
        return _UNSET
    value = json.loads(text)
    if not isinstance(value, str):
        return text
    enum = next((enum for enum in _ENUMS if value in enum.values_by_name), None)
    return value if enum is None else word_of(enum, value)


def shares(variants: Iterable[pb.Variant]) -> str:
    """What answers to how many requests."""
    return ", ".join(
        f"{variant.version} {variant.percent:g} %" + (f" and {', '.join(variant.tenants)}" if variant.tenants else "")
        for variant in variants
    )
