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


async def test_names_are_listed_with_what_answers(terminal):
    first, second = await terminal.publish(FIRST), await terminal.publish(SECOND)
    await terminal.run("label", "support", "next", second)
    await terminal.run("label", "support", "live", first, f"{second}=10")
    await terminal.publish(FIRST.replace("support", "mail"))
    newest = await terminal.publish(SECOND.replace("support", "mail"))
    header, *lines = (await terminal.run("list")).splitlines()
    assert header.split() == ["name", "label", "since", "answers"]
    assert [re.sub(r" 2\S+Z ", " ", line) for line in lines] == [
        f"mail                 live       {first} 100 %",
        f"mail                 -          {newest} (newest)",
        f"support              live       {first} 90 %, {second} 10 %",
        f"support              next       {second} 100 %",
    ]
    told = [json.loads(line) for line in (await terminal.run("list", "--json")).splitlines()]
    assert [(version["name"], version["version"]) for version in told] == [("mail", newest), ("support", second)]


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
        "sources.code: added\n"
        "sources.docs.priority: (not set) → 0.8\n"
        "order: (not set) → by_source\n"
    )
    assert (await terminal.run("diff", "support", "support@live")).endswith("\nno difference\n")


TOOL = "tools:\n- {name: find, description: Finds., parameters: {type: object, properties: {}}}\n"


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        pytest.param("guard: {secret: drop}", "guard: {secret: mask}", "guard.secret: drop → mask\n", id="rule"),
        pytest.param("guard: {secret: drop}", "", "guard.secret: drop → mask\n", id="rule that holds anyway"),
        pytest.param("", "guard: {restore: true}", "guard.restore: (not set) → true\n", id="restore"),
        pytest.param(
            "",
            TOOL,
            "tools[find]: added\ntools[find].description: (not set) → Finds.\n"
            'tools[find].parameters: (not set) → {"type":"object","properties":{}}\n',
            id="tool",
        ),
        pytest.param("sources: [code, docs]", "sources: [docs]", "sources.code: removed\n", id="source"),
        pytest.param("order: by_source", "order: by_score", "order: by_source → (not set)\n", id="a default"),
    ],
)
async def test_a_change_is_told_as_a_file_has_it(terminal, before, after, told):
    first, second = [await terminal.publish(f"name: support\n{text}\n") for text in (before, after)]
    said = await terminal.run("diff", f"support@{first}", f"support@{second}")
    assert said == f"support@{first} → support@{second}\n{told}"


async def test_labels_are_compared_with_their_shares(terminal):
    first, second = await terminal.publish(FIRST), await terminal.publish(SECOND)
    for percent in (10, 25):
        await terminal.run("label", "support", "live", first, f"{second}={percent}")
    assert await terminal.run("diff", "support@live~1", "support") == (
        f"support@{first} → support@{first}\n"
        f"live: {first} 90 %, {second} 10 % → {first} 75 %, {second} 25 %\n"
        "no difference in the recipe with the largest share\n"
    )
    assert f"\nlive: {first} 100 % → {first} 90 %, {second} 10 %\n" in await terminal.run(
        "diff", "support@live~2", "support@live~1"
    )
    await terminal.run("label", "support", "next", second)
    told = await terminal.run("diff", "support@next", "support")
    assert f"\nnext: {second} 100 % → live: {first} 75 %, {second} 25 %\ninstructions:\n" in told
    assert "%" not in await terminal.run("diff", f"support@{first}", "support@next"), "no label is split"


async def test_the_built_in_profile_can_be_looked_at_and_compared(terminal):
    shown = await terminal.run("show", "default")
    assert shown.startswith("# the built-in profile: it answers as long as none of this name is published\n")
    assert "\nname: default\ninstructions: Answer the question from " in shown
    assert "\n  history:\n    required: true\n    priority: 0.6\n" in shown
    version = await terminal.publish(FIRST)
    told = await terminal.run("diff", "default", "support")
    assert told.startswith(f"default (built in) → support@{version}\ninstructions:\n  - Answer the question ")
    assert await terminal.run("list", "default") == ""
    assert await terminal.publish(shown), "it is a file as any other"


async def test_a_label_is_moved_to_what_publish_printed_or_another_label_leads_to(terminal):
    first, second = await terminal.publish(FIRST), await terminal.publish(SECOND)
    told = await terminal.run("label", "support", "next", f"support@{second}")
    assert told == f"support@next: new → {second} 100 % (generation 1)\n"
    told = await terminal.run("label", "support", "live", "live", "support@next=5")
    assert told == f"support@live: {first} 100 % → {first} 95 %, {second} 5 % (generation 2)\n"
    told = await terminal.run("label", "support", "live", "next=50", f"support@{second}=50")
    assert told == f"support@live: {first} 95 %, {second} 5 % → {second} 100 % (generation 3)\n"
    told = await terminal.run("label", "support", "live", "live~2")
    assert told == f"support@live: {second} 100 % → {first} 100 % (generation 4)\n"
    told = await terminal.run("label", "support", "live", first)
    assert told == f"support@live: {first} 100 % already (generation 4)\n"


async def test_every_mistake_of_a_file_is_printed(terminal):
    told = await terminal.run("publish", "-", stdin="name: x\nmodle: y\norder: best\n", code=2)
    assert told.splitlines() == [
        "scic: modle: is not known; did you mean model?",
        "scic: order: must be one of: by_score, by_source, best_at_both_ends",
    ]


WRONG = """\
modle: y
max_tokens: -1
reserved_output_tokens: many
conversation_share: 2
pin_patterns: ['(', 'x*']
sources: {docs: {priority: 0}, mail: {limit: 5}}
guard: {email: hide}
tools:
- {name: find order, parameters: []}
- {description: x}
"""
MISTAKES = [
    "modle: is not known; did you mean model?",
    "reserved_output_tokens: must be a whole number",
    "guard.email: must be one of: allow, mask, drop, refuse",
    "max_tokens: must be 0 to 1,000,000",
    "tools[0].name: must be 1 to 64 letters, digits, '-' or '_'",
    "tools[1].name: must be 1 to 64 letters, digits, '-' or '_'",
    "sources.docs.priority: must be above 0 and at most 1",
    "conversation_share: must be 0 to 1",
    "pin_patterns[0]: ",
    "pin_patterns[1]: ",
    "sources.mail: must be one of: code, docs, ",
    "tools[0].parameters: must be ",
]


@pytest.mark.parametrize(
    ("name", "added"),
    [
        ("name: x", []),
        ("", ["name: must be given, here or with --name"]),
        ("name: 5", ["name: must be text; put it in quotes"]),
        ("name: X", ["name: must be 1 to 64 lower-case letters, digits, '-' or '_', beginning with a letter"]),
    ],
)
async def test_mistakes_of_form_and_of_meaning_are_told_at_once(terminal, name, added):
    told = await terminal.run("publish", "-", stdin=f"{WRONG}{name}\n", code=2)
    lines = [line.removeprefix("scic: ") for line in told.splitlines()]
    for expected in (*MISTAKES, *added):
        assert any(line.startswith(expected) for line in lines), (expected, lines)
    assert len(lines) == len(MISTAKES) + len(added)


async def test_what_fields_mean_is_told_by_their_place_in_the_file(terminal):
    text = (
        "name: x\nmodel: llama-9\nsources: {mail: , docs: {min_share: 0.5, max_share: 0.1}}\n"
        "tools: [{name: a}, {name: a, parameters: []}]\n"
    )
    told = await terminal.run("publish", "-", stdin=text, code=2)
    assert [line.split(": ")[1] for line in told.splitlines()] == [
        *("sources.mail", "sources.docs.max_share"),
        *("tools[1].name", "tools[1].parameters", "encoding"),
    ]


async def test_mistakes_of_form_are_told_though_the_server_cannot_be_asked(terminal):
    told = await terminal.run("publish", "-", stdin="name: x\nmodle: y\n", key="acme-reader", code=2)
    assert told.splitlines() == [
        "scic: modle: is not known; did you mean model?",
        "scic: what else may be wrong: could not be checked: ProfileService/PublishProfile needs the role operator",
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(("publish", "gone.yaml"), r"Error: .*FILE: gone\.yaml: no such file or directory", id="no file"),
        pytest.param(("publish", "."), r"Error: .*FILE: \.: is a directory", id="folder"),
        pytest.param(("publish", "latin.yaml"), r"Error: .*FILE: latin\.yaml: not UTF-8 at byte 9", id="not UTF-8"),
        pytest.param(("publish", "broken.yaml"), r"scic: broken\.yaml: line 2, column 9: mapping .*", id="no YAML"),
        pytest.param(("publish", "-"), r"scic: name: must be given, here or with --name", id="no name"),
        pytest.param(("publish", "-", "--name", "X"), r"scic: name: must be 1 to 64 lower-case letters, .*", id="name"),
        pytest.param(("show", "mail"), r"scic: there is no profile 'mail'; there are: default, support", id="unknown"),
        pytest.param(("show", "support@x"), r"scic: support has no label 'x'; there are: live", id="unknown label"),
        pytest.param(("show", f"support@{NOBODY}"), r"scic: support has no version .* removed, .*", id="removed"),
        pytest.param(("diff", "mail", "mail"), r"scic: there is no profile 'mail'; .*", id="unknown to compare"),
        pytest.param(("list", "mail"), r"scic: there is no profile 'mail'; there are: .*", id="unknown to list"),
        pytest.param(("list", "support@live"), r"Error: .*a name is wanted, without label .*", id="no name to list"),
        pytest.param(
            ("label", "support", "live", NOBODY),
            rf"scic: {NOBODY}: must be a version of support; there is no {NOBODY}, or it was removed",
            id="no such version",
        ),
        pytest.param(
            ("label", "support", "Live", NOBODY), r"scic: LABEL: must be 1 to 32 lower-case letters, .*", id="label"
        ),
        pytest.param(
            ("label", "Support", "live", NOBODY), r"scic: NAME: must be 1 to 64 lower-case letters, .*", id="its name"
        ),
        pytest.param(
            ("label", "support", "live", "7A0F"),
            r"Error: .*'7A0F' is neither a version of 16 hexadecimal digits nor a label",
            id="no version",
        ),
        pytest.param(("label", "support", "live", "x"), r"scic: support has no label 'x'; .*", id="no such label"),
        pytest.param(("label", "support", "live", "a@x"), r"Error: .*'a@x' is of another profile .*", id="another's"),
        pytest.param(("label", "default", "x", "live"), r"Error: .*default is built in; .*", id="built in"),
        pytest.param(
            ("label", "support", "live", "live=90"),
            r"scic: VERSION: must have percentages that sum .*",
            id="too little",
        ),
        pytest.param(
            ("label", "support", "live", "live", "--tenant", "A=live"),
            r"scic: --tenant: must be 1 to 63 .*",
            id="whose",
        ),
        pytest.param(("label", "support", "live", "a=b"), r"Error: .*'a=b' is not VERSION or .*", id="no percentage"),
        pytest.param(("label", "support", "live", "a", "b"), r"Error: .*name each version once, .*", id="two rests"),
        pytest.param(("label", "support", "live", "a=60", "a=40"), r"Error: .*name each version once, .*", id="twice"),
        pytest.param(("label", "support", "live", "a=101", "b"), r"Error: .*name each version once, .*", id="too much"),
        pytest.param(("label", "support", "live", "a", "--tenant", "t"), r"Error: .*'t' is not TENANT=.*", id="tenant"),
        pytest.param(("rollback", "support"), r"scic: support@live was nothing before: it was .*", id="no way back"),
        pytest.param(("rollback", "mail"), r"scic: there is no profile 'mail'; .*", id="nothing to roll back"),
    ],
)
async def test_a_mistake_is_one_sentence(terminal, arguments, sentence):
    (terminal.folder / "broken.yaml").write_text("name: x\nmodel: a: b\n")
    (terminal.folder / "latin.yaml").write_bytes(b"name: caf\xe9")
    await terminal.publish(FIRST)
    told = await terminal.run(*arguments, code=2)
    assert re.fullmatch(sentence, told.splitlines()[-1]), told


async def test_a_label_that_is_split_is_no_version(terminal):
    first, second = await terminal.publish(FIRST), await terminal.publish(SECOND)
    await terminal.run("label", "support", "live", first, f"{second}=5")
    told = await terminal.run("label", "support", "next", "live", code=2)
    assert told.splitlines()[-1].endswith(f"live is several versions: {first} 95 %, {second} 5 %")


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
    assert told.startswith("scic: --tenant: must be empty: only labels of the tenant that shares its profiles ")
