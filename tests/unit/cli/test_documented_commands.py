"""Every command that a document shows exists and takes what it is given."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from scic.cli.main import app

ROOT = Path(__file__).resolve().parents[3]
DOCUMENTS = sorted(path for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")))
BLOCK = re.compile(r"^```(?:sh|bash|console)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMANDS = [
    pytest.param(
        line.split(" #")[0].split(" >")[0].split(" |")[0].strip(), id=f"{path.stem}: {line.split(' #')[0].strip()}"
    )
    for path in DOCUMENTS
    for block in BLOCK.findall(path.read_text(encoding="utf-8"))
    for line in block.splitlines()
    if line.startswith("scic ")
]


@pytest.fixture(autouse=True)
def _files_that_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("line", COMMANDS)
def test_a_documented_command_can_be_given(line: str) -> None:
    _, *arguments = shlex.split(line)
    command = typer.main.get_command(app)
    context = None
    while True:
        name = command.name or "scic"
        subcommands = getattr(command, "commands", {})
        if not subcommands:
            command.make_context(name, arguments, parent=context)
            return
        assert arguments[0] in subcommands, f"{name} has no command {arguments[0]}"
        command, arguments = subcommands[arguments[0]], arguments[1:]


def test_there_are_such_commands() -> None:
    assert len(COMMANDS) > 20
