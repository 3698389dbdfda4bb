"""What a person at a terminal gets for a mistake: exit code 2 and one clear sentence, never a traceback."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from scic.cli.files import MAX_BYTES
from tests.laptop import LaptopMesh, run_scic

QUESTION = "Why?"
NOBODY = ("--address", "127.0.0.1:1", "--api-key", "k")


def assert_refused(done: subprocess.CompletedProcess[str], sentence: str) -> None:
    """`sentence` is a pattern for the last line of what was printed."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    *before, last = done.stderr.splitlines()
    assert re.fullmatch(sentence, last), done.stderr
    usage = ("Usage: ", "Try ", "ingesting ")
    assert all(not line or line.startswith(usage) for line in before), done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(
            ("context", QUESTION, "--data-dir", "nothing"),
            r"scic: no mesh runs in \S+/nothing; start one with .* --address, .* --data-dir or SCIC_DATA_DIR",
            id="context without a mesh",
        ),
        pytest.param(
            ("plan", QUESTION, "--data-dir", "nothing"), r"scic: no mesh runs in \S+/nothing; .*", id="plan without one"
        ),
        pytest.param(
            ("ingest", ".", "--data-dir", "nothing"), r"scic: no mesh runs in \S+/nothing; .*", id="ingest without one"
        ),
        pytest.param(
            ("status", "--data-dir", "nothing"),
            r"No mesh runs in \S+/nothing: start one with `scic up`, or .* with --data-dir or SCIC_DATA_DIR\.",
            id="status without one",
        ),
        pytest.param(
            ("restart", "--data-dir", "nothing"), r"No mesh runs in \S+/nothing: .*", id="restart without one"
        ),
        pytest.param(
            ("context", QUESTION, "--address", "127.0.0.1:1"),
            r"scic: .*API key; give one with --api-key or in SCIC_API_KEY",
            id="no key",
        ),
        pytest.param(
            ("context", QUESTION, *NOBODY),
            r"scic: the mesh does not answer: .*127\.0\.0\.1:1: .*",
            id="nobody at the address",
        ),
        pytest.param(
            ("ingest", "good.md", *NOBODY),
            r"scic: the mesh does not answer: .*127\.0\.0\.1:1: .*",
            id="nobody to ingest at the address",
        ),
        pytest.param(
            ("context", QUESTION, "--address", "127.0.0.1:1", "--api-key", "a\nb"),
            r"scic: the API key has characters that no key has",
            id="key of two lines",
        ),
        pytest.param(
            ("context", QUESTION, "--address", "127.0.0.1:1", "--api-key", "klucz-ą"),
            r"scic: the API key has characters that no key has",
            id="key that is not ASCII",
        ),
        pytest.param(
            ("context", QUESTION, "--filter", "x"),
            r"Error: Invalid value for --filter: 'x' is not KEY=VALUE",
            id="filter without a value",
        ),
        pytest.param(
            ("context", QUESTION, "--source", "docs:many"),
            r"Error: Invalid value for --source: 'docs:many' is not NAME or NAME:LIMIT",
            id="limit that is no number",
        ),
        pytest.param(
            ("context", QUESTION, "--max-tokens", "few"),
            r"Error: Invalid value for '--max-tokens' / '-n': .*valid integer.*",
            id="budget that is no number",
        ),
        pytest.param(
            ("context", QUESTION, "--max-tokens", "9999999999", *NOBODY),
            r"scic: the request cannot be sent: Value out of range: 9999999999",
            id="budget beyond 32 bits",
        ),
        pytest.param(
            ("context", "caf\udce9", *NOBODY), r"scic: the request cannot be sent: .*surrogates.*", id="bytes, not text"
        ),
        pytest.param(
            ("context", QUESTION, "--passage", "nowhere.md"),
            r"Error: Invalid value for '--passage': [Ff]ile 'nowhere\.md' does not exist\.",
            id="passage that is not there",
        ),
        pytest.param(
            ("context", QUESTION, "--passage", "latin.md"),
            r"Error: Invalid value for --passage: latin\.md: .*can't decode byte 0xe9.*",
            id="passage that is not UTF-8",
        ),
        pytest.param(("context",), r"Error: Missing argument .*question.*", id="no question"),
        pytest.param(
            ("ingest", "good.md", "nowhere"),
            r"Error: Invalid value for PATHS: nowhere does not exist\.",
            id="path that is not there",
        ),
        *(
            pytest.param(("compress", *arguments, "--question", QUESTION), rf"Error: Invalid value for {what}", id=name)
            for name, arguments, what in (
                ("compress a file that is not there", ("nowhere.md",), r"FILE: nowhere\.md: no such file or directory"),
                ("compress a folder", (".",), r"FILE: \.: is a directory"),
                ("compress an empty file", ("empty.md",), r"FILE: empty\.md: empty"),
                ("compress nothing", ("-",), "FILE: standard input: empty"),
                ("compress a blank file", ("blank.md",), r"FILE: blank\.md: empty"),
                ("compress a binary file", ("binary.md",), r"FILE: binary\.md: binary, not a text"),
                ("compress what is not UTF-8", ("latin.md",), r"FILE: latin\.md: not UTF-8 at byte 3"),
                ("compress too much", ("long.md",), r"FILE: long\.md: longer than 262,144 characters"),
                ("compress far too much", ("huge.md",), r"FILE: huge\.md: longer than 262,144 characters"),
                ("compress to two sizes", ("good.md", "--ratio", "0.5", "-n", "9"), "--ratio: give one of .*"),
                ("compress to nothing", ("good.md", "--ratio", "0"), "--ratio: 0 is not above 0 and at most 1"),
                ("compress to more", ("good.md", "--ratio", "1.5"), "--ratio: 1.5 is not above 0 and at most 1"),
                ("compress to no number", ("good.md", "--ratio", "nan"), "--ratio: nan is not above 0 and at most 1"),
            )
        ),
        pytest.param(
            ("compress", "good.md", "-q", QUESTION, "--data-dir", "nothing"),
            r"scic: no mesh runs in \S+/nothing; .*",
            id="compress without a mesh",
        ),
        pytest.param(
            ("compress", "good.md"), r"Error: Missing option .*--question.*", id="compress without a question"
        ),
        pytest.param(("ingest",), r"Error: Missing argument .*paths.*", id="no path"),
        pytest.param(
            ("ingest", "good.md", "--metadata", "x"),
            r"Error: Invalid value for --metadata: 'x' is not KEY=VALUE",
            id="metadata without a value",
        ),
        pytest.param(
            ("ingest", "good.md", "--expires-in", "soon"),
            r"Error: Invalid value for --expires-in: 'soon' is not a number from 1 on with m, h, d or w, such as .*",
            id="expiry that is no time",
        ),
        pytest.param(
            ("ingest", "good.md", "--prune"),
            r"Error: Invalid value for --prune: there is no folder to prune; name one",
            id="prune a file",
        ),
        pytest.param(
            ("ingest", ".", "--prune"),
            r"Error: Invalid value for --prune: the working directory cannot be pruned; .*",
            id="prune the working directory",
        ),
        *(
            pytest.param(
                ("corpus", *command, "--data-dir", "nothing"), r"scic: no mesh runs in \S+/nothing; .*", id=name
            )
            for name, command in {
                "corpus list without a mesh": ("list",),
                "corpus show without one": ("show", "a"),
                "corpus delete without one": ("delete", "a"),
                "corpus erase without one": ("erase", "--subject", "Ola", "--yes"),
                "corpus stats without one": ("stats",),
            }.items()
        ),
        pytest.param(
            ("corpus", "erase", "--yes"),
            r"Error: Invalid value for erase: give one of --subject and --tenant",
            id="erase nothing",
        ),
        pytest.param(
            ("corpus", "erase", "--yes", "--subject", "Ola", "--tenant", "acme"),
            r"Error: Invalid value for erase: give one of --subject and --tenant",
            id="erase two things",
        ),
        pytest.param(
            ("corpus", "show", "caf\udce9", *NOBODY),
            r"scic: an argument has bytes that are not UTF-8",
            id="id of bytes, not text",
        ),
        pytest.param(("corpus", "fly"), r"Error: No such command 'fly'\.", id="unknown command of corpus"),
        pytest.param(("fly",), r"Error: No such command 'fly'\.", id="unknown command"),
        pytest.param(
            ("up", "--port", "0"),
            r"Error: Invalid value for '--port': .*1.*",
            id="port out of range",
        ),
        pytest.param(
            ("up", "--replicas", "0"),
            r"Error: Invalid value for '--replicas': .*1.*",
            id="no replicas",
        ),
        pytest.param(
            ("up", "--data-dir", "good.md"),
            r"The data directory \S+/good\.md cannot be written \(File exists\): choose another with --data-dir\.",
            id="up in a file",
        ),
        pytest.param(
            ("up", "--detach", "--data-dir", "good.md/below"),
            r"The data directory \S+/good\.md/below cannot be written \(Not a directory\): .*",
            id="up below a file",
        ),
    ],
)
def test_without_a_mesh(tmp_path: Path, arguments: tuple[str, ...], sentence: str) -> None:
    (tmp_path / "good.md").write_text("Good.")
    (tmp_path / "latin.md").write_bytes(b"caf\xe9")
    (tmp_path / "empty.md").touch()
    (tmp_path / "blank.md").write_text(" \n")
    (tmp_path / "binary.md").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    (tmp_path / "long.md").write_text("x" * 262_145)
    (tmp_path / "huge.md").write_text("\N{SNOWMAN}" * 400_000)
    before = {path.name for path in tmp_path.iterdir()}
    assert_refused(run_scic(*arguments, check=False, cwd=tmp_path), sentence)
    assert {path.name for path in tmp_path.iterdir()} == before, "nothing was made"


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param((QUESTION, "--api-key", "wrong"), "the API key is not known", id="wrong key"),
        pytest.param((QUESTION, "--api-key", " "), "the API key is not known", id="blank key"),
        pytest.param(
            (QUESTION, "-n", "0"), r"--max-tokens is 0 or not given, and the profile default names none", id="no budget"
        ),
        pytest.param((QUESTION, "-n", "-5"), r"--max-tokens: must be 0 to 1,000,000", id="negative budget"),
        pytest.param((QUESTION, "-n", "1000001"), r"--max-tokens: must be 0 to 1,000,000", id="budget too large"),
        pytest.param(
            (QUESTION, "-n", "20"),
            r"--max-tokens is 20, but the prompt needs \d+ without any evidence",
            id="budget below the fixed parts",
        ),
        pytest.param(
            (QUESTION, "--source", "mail"),
            r"sources\[0\]\.name is 'mail', which is not known; valid: code, docs, history, vectors",
            id="unknown source",
        ),
        pytest.param((QUESTION, "--source", "docs:101"), r"sources\[0\]\.limit: must be .*", id="limit too large"),
        pytest.param(
            (QUESTION, "--model", "gpt-99"),
            r"model is 'gpt-99', which is not known; valid: .*cl100k_base.*",
            id="unknown model",
        ),
        pytest.param(("",), r"question: must not be empty or only white space", id="empty question"),
        pytest.param((" \n ",), r"question: must not be empty or only white space", id="blank question"),
        pytest.param(("x" * 8193,), r"question: must be at most 8192 characters.*", id="over-long question"),
        pytest.param((QUESTION, "--filter", "a b=c"), r"filter\[0\]\.key: .*", id="filter key"),
        pytest.param((QUESTION, "--passage", "empty.md"), r"passages\[0\]\.text: .*", id="empty passage"),
        pytest.param((QUESTION, "--passage", "long.md"), r"passages\[0\]\.text: .*65536.*", id="over-long passage"),
        pytest.param(
            (QUESTION, *("--passage", "wide.md") * 100), r".*larger than .*|.*16777216.*", id="body over the size limit"
        ),
    ],
)
def test_of_a_mesh(laptop_mesh: LaptopMesh, tmp_path: Path, arguments: tuple[str, ...], sentence: str) -> None:
    (tmp_path / "empty.md").touch()
    (tmp_path / "long.md").write_text("x" * 65_537)
    (tmp_path / "wide.md").write_text("\N{SNOWMAN}" * 65_536)
    address = ("--data-dir", str(laptop_mesh.data_dir))
    assert_refused(run_scic("context", *arguments, *address, check=False, cwd=tmp_path), f"scic: (?:{sentence})")


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(("good.md", "-n", "0"), r"--max-tokens: must be above 0 and at most 1,000,000", id="no tokens"),
        pytest.param(("good.md", "--model", "gpt-99"), r"model is 'gpt-99', which is not known; .*", id="model"),
        pytest.param(("paper.pdf",), r"'application/pdf' is not read as text; .*", id="PDF"),
        pytest.param(("good.md", "--pin", "("), r"--pin must be an RE2 pattern .*", id="pattern"),
        pytest.param(("good.md", "-q", " "), r"question: must not be empty or only white space", id="blank question"),
    ],
)
def test_of_a_mesh_that_compresses(
    laptop_mesh: LaptopMesh, tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    (tmp_path / "good.md").write_text("A heron eats fish. It wades.")
    (tmp_path / "paper.pdf").write_text("no PDF")
    question = () if "-q" in arguments else ("-q", QUESTION)
    address = ("--data-dir", str(laptop_mesh.data_dir))
    done = run_scic("compress", *arguments, *question, *address, check=False, cwd=tmp_path)
    assert_refused(done, f"scic: (?:{sentence})")


@pytest.mark.e2e
def test_a_plan_is_refused_like_its_context(laptop_mesh: LaptopMesh) -> None:
    done = run_scic("plan", QUESTION, "-n", "0", "--data-dir", str(laptop_mesh.data_dir), check=False)
    assert_refused(done, r"scic: --max-tokens is 0 or not given, and the profile default names none")


@pytest.mark.e2e
def test_a_bad_file_is_named_and_the_rest_goes_in(laptop_mesh: LaptopMesh, tmp_path: Path, tenant: str) -> None:
    (tmp_path / "good.md").write_text("A heron eats fish.")
    (tmp_path / "also-good.py").write_text("HERONS = 650\n")
    (tmp_path / "empty.md").touch()
    (tmp_path / "latin.md").write_bytes("café".encode("latin-1"))
    (tmp_path / "picture.md").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    (tmp_path / "nul.txt").write_bytes(b"a\0b")
    (tmp_path / "blank.txt").write_text(" \n")
    (tmp_path / "talk.jsonl").write_text('{"role": "user", "content": "Hi"}\nno JSON\n')
    (tmp_path / "lost.md").symlink_to("nowhere.md")
    with (tmp_path / "huge.txt").open("wb") as huge:
        huge.truncate(MAX_BYTES + 1)
    expected = {
        "empty.md": "empty",
        "latin.md": r"The content is not UTF-8 at byte 3\. \(BROKEN_ENCODING\)",
        "picture.md": r"The content has NUL bytes: it is not a text\. \(BINARY_CONTENT\)",
        "nul.txt": r"The content has NUL bytes: it is not a text\. \(BINARY_CONTENT\)",
        "blank.txt": r"The document is empty or only white space\. \(EMPTY_DOCUMENT\)",
        "talk.jsonl": r"Line 2 is not JSON\. \(MALFORMED_CONVERSATION\)",
        "lost.md": "no such file or directory",
        "huge.txt": "larger than 4 MiB",
    }
    if os.geteuid():  # root reads everything
        (tmp_path / "closed.md").write_text("secret")
        (tmp_path / "closed.md").chmod(0)
        expected["closed.md"] = "permission denied"
    names = sorted(path.name for path in tmp_path.iterdir())
    key = ("--data-dir", str(laptop_mesh.data_dir), "--api-key", laptop_mesh.key_of(tenant))

    done = run_scic("ingest", *names, *key, check=False, cwd=tmp_path)

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stdout.startswith(f"2 indexed, 0 unchanged, {len(expected)} failed, 0 left out; ")
    for name, reason in expected.items():
        assert re.search(rf"^failed (?:\S*/)?{re.escape(name)}: {reason}$", done.stderr, re.MULTILINE), done.stderr
    assert done.stderr.count("failed ") == len(expected)
    asked = run_scic("context", "What do herons eat?", "--json", *key)
    assert "A heron eats fish." in asked.stdout

    again = run_scic("ingest", *names, *key, check=False, cwd=tmp_path)
    assert again.returncode == 1
    assert again.stdout.startswith(f"0 indexed, 2 unchanged, {len(expected)} failed, 0 left out; ")
    good = run_scic("ingest", "good.md", "also-good.py", *key, cwd=tmp_path)
    assert good.stdout.startswith("0 indexed, 2 unchanged, 0 failed, 0 left out; ")


@pytest.mark.e2e
def test_a_second_mesh_is_refused(laptop_mesh: LaptopMesh, tmp_path: Path) -> None:
    same = run_scic("up", "--data-dir", str(laptop_mesh.data_dir), "--port", "1", check=False)
    assert_refused(same, r"A mesh already runs in \S+ \(supervisor pid \d+, edge \S+\): see `scic status`, or .*")
    port = str(laptop_mesh.port)
    busy = run_scic("up", "--data-dir", str(tmp_path), "--port", port, check=False)
    assert_refused(busy, rf"Port {port} is in use: stop what listens there, or choose another with --port\.")
    detached = run_scic("up", "--detach", "--data-dir", str(tmp_path), "--port", port, check=False)
    assert_refused(detached, rf"Port {port} is in use: .*")
    assert laptop_mesh.status()["healthy"]
