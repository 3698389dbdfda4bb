"""How profiles look on a terminal."""

import json
from collections.abc import Iterable, Iterator
from difflib import ndiff

from scic.cli.profile_reading import word_of
from scic.cli.show_corpus import time
from scic.gateway.v1 import profile_service_pb2 as pb
from scic.type.v1 import guard_pb2, prompt_pb2

LISTING_HEADER = f"{'name':<24} {'version':<16} {'published':<20} {'by':<16} labels"

_UNSET = "(not set)"
_ENUMS = tuple(
    enum.DESCRIPTOR
    for enum in (prompt_pb2.PromptFormat, prompt_pb2.EvidenceOrder, guard_pb2.SensitiveType, guard_pb2.GuardAction)
)
_SHORT = 60
"""Characters of a text that still reads well on one line with another one."""


def listing_line(version: pb.ProfileVersion) -> str:
    """A version in a line that can be cut into columns."""
    labels = ", ".join(version.labels) or "-"
    return f"{version.name:<24} {version.version} {time(version.create_time):<20} {version.key_id:<16} {labels}"


def label_line(label: pb.Label) -> str:
    """A label, and what answers."""
    return (
        f"{label.name}@{label.label}: {_shares(label.variants)} "
        f"(generation {label.generation}, {time(label.update_time)}, {label.key_id})"
    )


def move_line(moved: pb.SetLabelResponse) -> str:
    """What a label was, and what it is now."""
    label = moved.label
    before = _shares(moved.before.variants) if moved.HasField("before") else "new"
    return f"{label.name}@{label.label}: {before} → {_shares(label.variants)} (generation {label.generation})"


def head_lines(found: pb.GetProfileResponse) -> Iterator[str]:
    """What is known of a version besides its recipe, as comments of its file."""
    version = found.version
    yield f"# version {version.version}, published {time(version.create_time)} by {version.key_id}"
    for label in found.labels:
        if label.label in version.labels:
            yield f"# {label_line(label)}"


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


def _shares(variants: Iterable[pb.Variant]) -> str:
    return ", ".join(
        f"{variant.version} {variant.percent:g} %" + (f" and {', '.join(variant.tenants)}" if variant.tenants else "")
        for variant in variants
    )
