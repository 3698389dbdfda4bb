import os
from pathlib import Path

import pytest

from scic.cli.files import MAX_BYTES, Failed, FoundFile, PathNotFoundError, Skipped, discover, read_content


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    monkeypatch.chdir(root)
    return root


def write(path: str, content: str = "text") -> Path:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="utf-8")
    return file


def found(*paths: str) -> list[str]:
    return [
        finding.document_id for finding in discover([Path(path) for path in paths]) if isinstance(finding, FoundFile)
    ]


def reasons(*paths: str) -> dict[str, str]:
    findings = discover([Path(path) for path in paths])
    return {finding.path.name: finding.reason for finding in findings if not isinstance(finding, FoundFile)}


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("a.md", "text/markdown"),
        ("a.MARKDOWN", "text/markdown"),
        ("a.html", "text/html"),
        ("a.htm", "text/html"),
        ("a.pdf", "application/pdf"),
        ("a.PDF", "application/pdf"),
        ("a.py", "text/x-python"),
        ("a.pyi", "text/x-python"),
        ("a.js", "text/javascript"),
        ("a.mjs", "text/javascript"),
        ("a.cjs", "text/javascript"),
        ("a.jsx", "text/javascript"),
        ("a.ts", "text/typescript"),
        ("a.tsx", "text/typescript"),
        ("a.mts", "text/typescript"),
        ("a.cts", "text/typescript"),
        ("a.go", "text/x-go"),
        ("a.java", "text/x-java"),
        ("a.jsonl", "application/x-ndjson"),
        ("a.ndjson", "application/x-ndjson"),
        ("a.txt", "text/plain"),
        ("a.rst", "text/plain"),
        ("a.proto", "text/plain"),
        ("a.toml", "text/plain"),
        ("a.yaml", "text/plain"),
        ("a.yml", "text/plain"),
    ],
)
def test_the_suffix_says_the_content_type(name: str, content_type: str) -> None:
    path = write(name, "five\n").absolute()
    expected = FoundFile(path, name, content_type, 5, {"path": name})
    assert list(discover([Path()])) == [expected]
    assert read_content(expected) == b"five\n"


def test_folders_are_walked_in_the_order_of_names() -> None:
    for name in ["b.md", "a/z.md", "a/b/c.md", "a.md", "B.md"]:
        write(name)
    assert found(".") == ["B.md", "a/b/c.md", "a/z.md", "a.md", "b.md"]


@pytest.mark.parametrize(
    ("given", "document_id"),
    [
        pytest.param("docs/adr/one.md", "docs/adr/one.md", id="file"),
        pytest.param("docs", "docs/adr/one.md", id="folder"),
        pytest.param("docs/adr", "docs/adr/one.md", id="inner folder"),
        pytest.param(".", "docs/adr/one.md", id="working directory"),
        pytest.param("./docs/../docs/", "docs/adr/one.md", id="detour"),
        pytest.param("../project/docs", "docs/adr/one.md", id="through the parent"),
    ],
)
def test_an_id_does_not_depend_on_how_a_file_of_the_project_is_given(given: str, document_id: str) -> None:
    write("docs/adr/one.md")
    assert found(given) == found(str(Path(given).absolute())) == [document_id]


@pytest.mark.parametrize("given", ["../other", "../other/two.md"], ids=["folder", "file"])
def test_what_lies_elsewhere_has_its_whole_path_for_an_id(given: str) -> None:
    write("../other/two.md")
    assert found(given) == [Path("../other/two.md").resolve().as_posix()]


def test_folders_of_one_name_do_not_hide_each_other() -> None:
    write("../a/docs/x.md")
    write("../b/docs/x.md")
    assert len(set(found("../a/docs", "../b/docs"))) == 2


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        pytest.param(".git/a.md", "hidden", id="hidden folder"),
        pytest.param(".venv/a.py", "hidden", id="hidden environment"),
        pytest.param(".a.md", "hidden", id="hidden file"),
        pytest.param("__pycache__/a.py", "compiled code", id="compiled"),
        pytest.param("node_modules/a/a.md", "installed packages", id="node"),
        pytest.param("venv/a.py", "installed packages", id="environment"),
        pytest.param("scic.egg-info/a.txt", "installed packages", id="egg-info"),
        pytest.param("pnpm-lock.yaml", "lock file", id="lock file"),
        pytest.param("a_pb2.py", "generated code", id="generated"),
        pytest.param("a_pb2_grpc.pyi", "generated code", id="generated types"),
        pytest.param("a.pb.go", "generated code", id="generated Go"),
        pytest.param("a.min.js", "minified code", id="minified"),
        pytest.param("a.png", "no text that can be read by structure (.png)", id="binary"),
        pytest.param("a.json", "no text that can be read by structure (.json)", id="data"),
        pytest.param("uv.lock", "no text that can be read by structure (.lock)", id="lock"),
        pytest.param("LICENSE", "no text that can be read by structure (no suffix)", id="no suffix"),
    ],
)
def test_what_a_walk_passes_by_is_reported(path: str, reason: str) -> None:
    write(path)
    assert list(discover([Path()])) == [Skipped(Path(Path(path).parts[0]).absolute(), reason)]


@pytest.mark.parametrize("path", [".hidden/a.md", ".a.md", "a_pb2.py", "node_modules/a.md"])
def test_what_is_asked_for_by_name_is_taken(path: str) -> None:
    write(path)
    assert found(path) == [path]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        pytest.param("a.png", "no text that can be read by structure (.png)", id="binary"),
        pytest.param("LICENSE", "no text that can be read by structure (no suffix)", id="no suffix"),
    ],
)
def test_what_is_asked_for_by_name_and_of_no_use_is_a_failure(path: str, reason: str) -> None:
    file = write(path).absolute()
    assert list(discover([Path(path), Path()])) == [Failed(file, reason), Skipped(file, "found before")]


def test_ten_thousand_empty_files_are_passed_by_one_at_a_time() -> None:
    Path("many").mkdir()
    for number in range(10_000):
        Path(f"many/{number}.md").touch()
    findings = discover([Path()])
    assert next(findings) == Skipped(Path("many/0.md").absolute(), "empty")
    assert sum(finding.reason == "empty" for finding in findings if isinstance(finding, Skipped)) == 9_999


def test_an_empty_file_is_passed_by_on_a_walk_and_a_failure_when_asked_for() -> None:
    path = write("a/__init__.py", "").absolute()
    assert list(discover([Path()])) == [Skipped(path, "empty")]
    assert list(discover([Path("a/__init__.py")])) == [Failed(path, "empty")]


def test_nothing_is_found_twice() -> None:
    write("docs/adr/a.md")
    assert found("docs/adr", "docs", ".", "docs/adr/a.md") == ["docs/adr/a.md"]


def test_links_are_followed_but_not_in_circles() -> None:
    write("docs/a.md")
    write("../shared/b.md")
    Path("docs/again").symlink_to("..")
    Path("docs/self").symlink_to("self")
    Path("docs/same.md").symlink_to("a.md")
    Path("docs/shared").symlink_to("../../shared")
    assert found("docs") == ["docs/a.md", "docs/shared/b.md"]
    assert reasons("docs")["same.md"] == "found before"
    assert reasons("docs")["self"] == "too many levels of symbolic links"


def test_folders_that_link_to_each_other_are_walked_once() -> None:
    write("a/x.md")
    write("b/y.md")
    Path("a/b").symlink_to("../b")
    Path("b/a").symlink_to("../a")
    Path("c").symlink_to("d")
    Path("d").symlink_to("c")
    assert found(".") == ["a/b/y.md", "a/x.md"]
    assert reasons(".") == {
        "a": "found before",
        "b": "found before",
        "c": "too many levels of symbolic links",
        "d": "too many levels of symbolic links",
    }


def test_a_pipe_that_is_asked_for_is_a_failure() -> None:
    os.mkfifo("a.md")
    (finding,) = discover([Path("a.md")])
    assert finding == Failed(Path("a.md").absolute(), "not a regular file")


def test_what_cannot_be_read_is_named_and_the_rest_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    write("a/closed/b.md")
    write("a/open/c.md")
    Path("a/lost.md").symlink_to("nowhere.md")
    listed = os.listdir

    def refuse(path: str) -> list[str]:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(os, "listdir", refuse)
    assert found("a") == ["a/open/c.md"]
    assert reasons("a") == {"closed": "permission denied", "lost.md": "no such file or directory"}


def test_a_file_that_is_gone_when_it_is_read_is_a_failure() -> None:
    path = write("a.md")
    (file,) = discover([path])
    path.unlink()
    assert isinstance(file, FoundFile)
    assert read_content(file) == Failed(path.absolute(), "no such file or directory")


@pytest.mark.parametrize("size", [MAX_BYTES, MAX_BYTES + 1, 200_000_000], ids=["fits", "too large", "a line of 200 MB"])
def test_a_file_too_large_is_a_failure(size: int) -> None:
    with write("a.txt").open("r+b") as stream:
        stream.truncate(size)
    assert reasons(".") == ({} if size == MAX_BYTES else {"a.txt": "larger than 4 MiB"})


def test_a_file_that_grows_before_it_is_read_is_not_read_to_its_end() -> None:
    path = write("a.txt")
    (file,) = discover([path])
    with path.open("r+b") as stream:
        stream.truncate(200_000_000)
    assert isinstance(file, FoundFile)
    assert read_content(file) == Failed(path.absolute(), "larger than 4 MiB")


@pytest.mark.parametrize(
    "name", ["a\nb.md", "a\udcff.md", f"{'d' * 200}/{'f' * 100}.md"], ids=["control", "bytes", "long"]
)
def test_a_name_that_no_document_can_have_is_a_failure(name: str) -> None:
    write(name)
    (finding,) = discover([Path()])
    assert isinstance(finding, Failed)
    assert finding.reason.startswith("its path")


def test_a_pipe_is_passed_by() -> None:
    os.mkfifo("a.md")
    assert reasons(".") == {"a.md": "not a regular file"}


def test_a_path_that_does_not_exist_is_an_error_before_anything_is_done() -> None:
    write("a.md")
    with pytest.raises(PathNotFoundError, match=r"^nowhere does not exist\.$"):
        discover([Path("a.md"), Path("nowhere")])
