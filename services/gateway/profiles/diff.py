"""In which fields two recipes differ."""

import json
from collections.abc import Iterator
from typing import Any

from google.protobuf.json_format import MessageToDict

from scic.gateway.v1 import profile_service_pb2 as pb
from services.gateway.guard.policy import GuardPolicy

_KEYS = {"sources": "name", "tools": "name"}
"""What the items of a list are known by; others by their place."""


def changes(before: pb.Profile, after: pb.Profile) -> list[pb.FieldChange]:
    """The fields that differ, in the order of the recipe, their values as the API's JSON."""
    old, new = _leaves(before), _leaves(after)
    return [
        pb.FieldChange(field=path, before=old[field].get(path, ""), after=new[field].get(path, ""))
        for field in old
        for path in dict.fromkeys((*old[field], *new[field]))
        if old[field].get(path) != new[field].get(path)
    ]


def _leaves(profile: pb.Profile) -> dict[str, dict[str, str]]:
    """For each field of a recipe its values by their paths."""
    values = MessageToDict(profile, preserving_proto_field_name=True)
    values["guard"] = _guard(profile)
    return {field.name: dict(_walk(field.name, values.get(field.name))) for field in pb.Profile.DESCRIPTOR.fields}


def _walk(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _walk(f"{path}.{name}", part)
    elif isinstance(value, list):
        key = _KEYS.get(path.rpartition(".")[2])
        for index, item in enumerate(value):
            yield from _walk(f"{path}[{item[key] if key else index}]", item)
    elif value is not None:
        yield path, json.dumps(value, ensure_ascii=False)


def _guard(profile: pb.Profile) -> dict[str, Any]:
    """The action for each type, also where it holds without a rule: whether a recipe wrote it out says nothing."""
    policy = GuardPolicy.of(profile.guard)
    actions: dict[str, Any] = {type_.value: f"GUARD_ACTION_{action.name}" for type_, action in policy.actions.items()}
    return actions | ({"restore": True} if policy.restore else {})
