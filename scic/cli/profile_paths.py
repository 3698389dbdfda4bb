"""What a server says of the fields of a recipe, in the words of the file that the recipe came from."""

import re

from scic.cli.profile_reading import SENSITIVE_TYPE, word_of
from scic.gateway.v1 import profile_service_pb2 as pb

_SOURCE = re.compile(r"^sources\[([0-9]+)\](?:\.name$)?")
_RULE = re.compile(r"^guard\.rules(?:\[([0-9]+)\](?:\.(?:type|action))?)?")
_KEYED_SOURCE = re.compile(r"^sources\[(.+?)\]")


def path_in_file(field: str, profile: pb.Profile) -> str:
    """Where in the file the field stands that a refusal of `profile` names."""
    path = field.removeprefix("profile.")
    if source := _SOURCE.match(path):
        return f"sources.{profile.sources[int(source[1])].name}{path[source.end() :]}"
    if rule := _RULE.match(path):
        return f"guard.{_type_of(profile, int(rule[1]))}" if rule[1] else "guard"
    return _spelt(path)


def path_of_change(field: str) -> str:
    """Where in a file the field stands that a comparison names."""
    return _spelt(_KEYED_SOURCE.sub(r"sources.\1", field))


def _type_of(profile: pb.Profile, index: int) -> str:
    return word_of(SENSITIVE_TYPE, SENSITIVE_TYPE.values_by_number[profile.guard.rules[index].type].name)


def _spelt(path: str) -> str:
    return path.replace(".parameters_json", ".parameters") if path.startswith("tools[") else path
