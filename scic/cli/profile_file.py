"""A recipe as people keep it: a YAML file with the API's names, and what is known by a name under that name."""

import json
import re
from typing import Any, NamedTuple

import yaml
from google.protobuf.json_format import MessageToDict

from scic.cli.profile_reading import GUARD_ACTION, SENSITIVE_TYPE, Reading, word_of
from scic.cli.strict_yaml import load
from scic.gateway.v1 import profile_service_pb2 as pb
from scic.type.v1 import prompt_pb2

_TEXT = "tag:yaml.org,2002:str"
_NULL = "tag:yaml.org,2002:null"

_OTHER_BREAKS = re.compile("[\r\x85\u2028\u2029]")
"""To YAML they end a line; without quotes they would come back as spaces."""


class ProfileFile(NamedTuple):
    """What stands in a file."""

    name: str
    """What it calls the profile; "" where it does not."""

    profile: pb.Profile
    """The recipe, without what is wrong."""

    mistakes: list[tuple[str, str]]
    """Paths, such as `sources.docs.priority`, and what is expected there."""


def read_profile(text: str, file: str = "file") -> ProfileFile:
    """Reads a file that is called `file`. Raises ScicError INVALID_FIELD, which says where, for what is no YAML."""
    reading = Reading(file)
    profile = reading.profile(load(text, file))
    return ProfileFile(reading.name, profile, reading.mistakes)


def write_profile(name: str, profile: pb.Profile) -> str:
    """A recipe as a file; published again it is the same version."""
    values: dict[str, Any] = {"name": name, **MessageToDict(profile, preserving_proto_field_name=True)}
    for field, enum in (("format", prompt_pb2.PromptFormat), ("order", prompt_pb2.EvidenceOrder)):
        if field in values:
            values[field] = word_of(enum.DESCRIPTOR, values[field])
    if "sources" in values:
        values["sources"] = {source.pop("name"): source or None for source in values["sources"]}
    for tool in values.get("tools", ()):
        if "parameters_json" in tool:
            tool["parameters"] = json.loads(tool.pop("parameters_json"))
    if "guard" in values:
        rules = values["guard"].pop("rules", ())
        actions = {word_of(SENSITIVE_TYPE, rule["type"]): word_of(GUARD_ACTION, rule["action"]) for rule in rules}
        values["guard"] |= actions
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


class _Dumper(yaml.SafeDumper):
    """Writes long texts as they are, and nothing where there is nothing."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    if _OTHER_BREAKS.search(text):
        return dumper.represent_scalar(_TEXT, text, style='"')
    return dumper.represent_scalar(_TEXT, text, style="|" if "\n" in text else None)


def _nothing(dumper: yaml.SafeDumper, _: None) -> yaml.ScalarNode:
    return dumper.represent_scalar(_NULL, "")


_Dumper.add_representer(str, _text)
_Dumper.add_representer(type(None), _nothing)
