"""What the documents and the examples say of profiles is so."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main
import yaml

from scic.cli.profile_file import read_profile
from scic.cli.profile_reading import GUARD_ACTION, SENSITIVE_TYPE, words
from scic.cli.profiles import profiles
from scic.gateway.v1 import profile_service_pb2 as pb
from services.chassis.interceptors import check
from services.gateway.profiles.check import mistakes
from services.prompt.fixed import fixed_tokens
from tests.unit.gateway.profiles.kit import BASE

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = (ROOT / "docs/profiles.md").read_text(encoding="utf-8")
EXAMPLES = sorted((ROOT / "examples/profiles").glob("*.yaml"))
COMMANDS = [line.split("#")[0].split(">")[0] for line in re.findall(r"^scic profiles .*$", DOCUMENT, re.MULTILINE)]
RECIPES = re.findall(r"^```yaml\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    "text",
    [*(pytest.param(path.read_text(encoding="utf-8"), id=path.name) for path in EXAMPLES), *RECIPES],
)
def test_a_recipe_can_be_published(text):
    name, profile, wrong = read_profile(text)
    assert wrong == []
    check(pb.PublishProfileRequest(name=name, profile=profile))
    assert mistakes(profile, BASE, fixed_tokens) == []


def test_examples_are_called_as_their_files():
    assert [yaml.safe_load(path.read_text(encoding="utf-8"))["name"] for path in EXAMPLES] == [
        path.stem for path in EXAMPLES
    ]


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_exists_and_takes_what_is_given(line):
    _, _, *arguments = shlex.split(line)
    group = typer.main.get_command(profiles)
    command = group.commands[arguments[0]]  # type: ignore[attr-defined]  # it is a group
    command.make_context(arguments[0], arguments[1:])


def test_every_field_and_word_is_told():
    for field in pb.Profile.DESCRIPTOR.fields:
        assert f"`{field.name}`" in DOCUMENT
    for word in (*words(SENSITIVE_TYPE), *words(GUARD_ACTION)):
        assert f"`{word}`" in DOCUMENT
