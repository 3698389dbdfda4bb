"""`scic profiles`: the real command against a real server."""

import asyncio
import json
import re

import pytest
from obstore.store import MemoryStore

from tests.laptop import SCIC, _environment
from tests.unit.gateway.profiles.serving import served

FIRST = "name: support\ninstructions: |\n  Answer from the passages.\n  Cite them.\nmax_tokens: 4000\nsources: [docs]\n"
SECOND = FIRST.replace("Cite them.", "Cite each by its number.").replace("[docs]", "{docs: {priority: 0.8}, code: }")
VERSION = r"[0-9a-f]{16}"
NOBODY = "0123456789abcdef"


class Terminal:
    """Runs commands in a folder; what they printed is what is told."""

    def __init__(self, mesh, folder):
        self.mesh = mesh
        self.folder = folder

    async def run(self, *arguments, key="acme-operator", stdin="", code=0):
        process = await asyncio.create_subprocess_exec(
            *(*SCIC, "profiles", *arguments, "--address", self.mesh.address, "--api-key", key),
            env=_environment({}),
            cwd=self.folder,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate(stdin.encode())
        assert process.returncode == code, err.decode()
        assert b"Traceback" not in err
        return (out if code == 0 else err).decode()

    async def publish(self, text):
        """The version."""
        told = await self.run("publish", "-", stdin=text)
        form = re.fullmatch(rf"published \w+@({VERSION})(, known already)?( · \S+)*\n", told)
        assert form, told
        return form[1]


@pytest.fixture
async def terminal(tmp_path):
    async with served(MemoryStore()) as mesh:
        yield Terminal(mesh, tmp_path)


async def test_a_recipe_is_published_tried_and_rolled_back(terminal):
    (terminal.folder / "support.yaml").write_text(FIRST)
    planned = await terminal.run("publish", "support.yaml", "--dry-run")
    assert re.fullmatch(rf"would publish support@{VERSION}\n", planned)
    assert await terminal.run("list") == ""
    first = await terminal.publish(FIRST)
    assert await terminal.run("publish", "support.yaml") == f"published support@{first}, known already · live\n"
    second = await terminal.publish(SECOND)

    told = await terminal.run("label", "support", "live", first, f"{second}=5")
    assert told == f"support@live: {first} 100 % → {first} 95 %, {second} 5 % (generation 2)\n"
    told = await terminal.run("label", "support", "live", second, "--expected", "2")
    assert told == f"support@live: {first} 95 %, {second} 5 % → {second} 100 % (generation 3)\n"
    told = await terminal.run("rollback", "support")
    assert told == f"support@live: {second} 100 % → {first} 95 %, {second} 5 % (generation 4)\n"
    assert (await terminal.mesh.profiles.resolve("acme", "support", "u")).profile.version in {first, second}

    header, *lines, live = (await terminal.run("list", "support")).splitlines()
    assert header.split() == ["name", "version", "published", "by", "labels"]
    assert [line.split()[1:] for line in lines] == [
        [second, lines[0].split()[2], "acme-operator", "live"],
        [first, lines[1].split()[2], "acme-operator", "live"],
    ]
    assert live.startswith(f"support@live: {first} 95 %, {second} 5 % (generation 4, ")
    (_, newest) = (await terminal.run("list")).splitlines()
    assert newest.split()[:2] == ["support", second]


async def test_what_is_shown_can_be_published_again(terminal):
    version = await terminal.publish(SECOND)
    shown = await terminal.run("show", "support", "--yaml")
    assert shown.startswith(f"# version {version}, published 2")
    assert f"# support@live: {version} 100 % (generation 1, " in shown
    assert await terminal.publish(shown) == version
    found = json.loads(await terminal.run("show", f"support@{version}", "--json"))
    assert found["version"]["profile"]["sources"][0] == {"name": "code", "limit": 0}


async def test_two_versions_are_compared(terminal):
    first, second = (
        await terminal.publish(FIRST),
        await terminal.publish(SECOND.replace("4000", "5000\norder: by_source")),
    )
    told = await terminal.run("diff", "support", f"support@{second}")
    assert told == (
        f"support@{first} → support@{second}\n"
        "instructions:\n"
        "    Answer from the passages.\n"
        "  - Cite them.\n"
        "  + Cite each by its number.\n"
        "max_tokens: 4000 → 5000\n"
        "sources[code].name: (not set) → code\n"
        "sources[docs].priority: (not set) → 0.8\n"
        "order: (not set) → by_source\n"
    )
    assert (await terminal.run("diff", "support", "support@live")).endswith("\nno difference\n")


async def test_every_mistake_of_a_file_is_printed(terminal):
    told = await terminal.run("publish", "-", stdin="name: x\nmodle: y\norder: best\n", code=2)
    assert told.splitlines() == [
        "scic: modle: is not known; did you mean model?",
        "scic: order: must be one of: by_score, by_source, best_at_both_ends",
    ]
    told = await terminal.run(
        "publish", "-", stdin="name: x\nsources: [mail, post]\npin_patterns: ['(', 'x*']\n", code=2
    )
    assert [line.split(": ")[1] for line in told.splitlines()] == [
        *("profile.sources[0].name", "profile.sources[1].name"),
        *("profile.pin_patterns[0]", "profile.pin_patterns[1]"),
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(("publish", "gone.yaml"), r"Error: .*FILE: gone\.yaml: no such file or directory", id="no file"),
        pytest.param(("publish", "."), r"Error: .*FILE: \.: is a directory", id="folder"),
        pytest.param(("publish", "latin.yaml"), r"Error: .*FILE: latin\.yaml: not UTF-8 at byte 9", id="not UTF-8"),
        pytest.param(("publish", "-"), r"Error: .*the file has no `name`; give one with --name", id="no name"),
        pytest.param(("publish", "-", "--name", "X"), r"scic: name: .*pattern.*", id="name"),
        pytest.param(("show", "mail"), r"scic: profile is 'mail', and the tenant has no such .*", id="unknown"),
        pytest.param(("diff", "mail", "mail"), r"scic: from_profile is 'mail', .*", id="unknown to compare"),
        pytest.param(("list", "mail@live"), "", id="no name to list"),
        pytest.param(("label", "support", "live", NOBODY), r"scic: variants\[0\]\.version: .*", id="no such version"),
        pytest.param(("label", "support", "live", "a=b"), r"Error: .*'a=b' is not VERSION or .*", id="no percentage"),
        pytest.param(("label", "support", "live", "a", "b"), r"Error: .*name each version once, .*", id="two rests"),
        pytest.param(("label", "support", "live", "a=60", "a=40"), r"Error: .*name each version once, .*", id="twice"),
        pytest.param(("label", "support", "live", "a=101", "b"), r"Error: .*name each version once, .*", id="too much"),
        pytest.param(("label", "support", "live", "a", "--tenant", "t"), r"Error: .*'t' is not TENANT=.*", id="tenant"),
        pytest.param(("rollback", "support"), r"scic: support@live was nothing before, so .*", id="no way back"),
        pytest.param(("rollback", "mail"), r"scic: mail@live was nothing before, so .*", id="nothing to roll back"),
    ],
)
async def test_a_mistake_is_one_sentence(terminal, arguments, sentence):
    (terminal.folder / "latin.yaml").write_bytes(b"name: caf\xe9")
    await terminal.publish(FIRST)
    if sentence:
        told = await terminal.run(*arguments, code=2)
        assert re.fullmatch(sentence, told.splitlines()[-1]), told
    else:
        assert await terminal.run(*arguments) == ""


async def test_who_may_only_read_changes_nothing(terminal):
    version = await terminal.publish(FIRST)
    assert version in await terminal.run("show", "support", key="acme-reader")
    told = await terminal.run("label", "support", "live", version, key="acme-reader", code=2)
    assert told == "scic: ProfileService/SetLabel needs the role operator\n"


async def test_somebody_elses_move_is_not_undone(terminal):
    first, second = await terminal.publish(FIRST), await terminal.publish(SECOND)
    await terminal.run("label", "support", "live", second)
    told = await terminal.run("label", "support", "live", first, "--expected", "1", code=2)
    assert told == "scic: the label was moved meanwhile; its generation is 2\n"


async def test_tenants_are_named_with_a_version(terminal):
    first, second = await terminal.publish(FIRST), await terminal.publish(SECOND)
    told = await terminal.run("label", "support", "live", first, "--tenant", f"zenith={second}", code=2)
    assert "variants[1].tenants" in told, "only the tenant that shares its profiles may"
