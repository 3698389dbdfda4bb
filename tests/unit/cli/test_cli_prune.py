"""`scic ingest --prune`: only what lies in the folders that were named."""

from pathlib import Path

import pytest

from scic.cli.prune import PruneError, prefixes


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for folder in ("project/docs/deep", "project/docs-2", "elsewhere"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "project" / "a.md").write_text("a")
    (tmp_path / "project" / "link").symlink_to(tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        pytest.param(["docs"], ["docs/"], id="a folder, and not one whose name begins alike"),
        pytest.param(["docs/"], ["docs/"], id="with a slash"),
        pytest.param(["./docs/../docs/deep"], ["docs/deep/"], id="by a detour"),
        pytest.param(["docs", "docs-2", "a.md"], ["docs/", "docs-2/"], id="files beside folders"),
        pytest.param(["link"], ["link/"], id="a link keeps its name"),
        pytest.param(["../elsewhere"], ["{root}/elsewhere/"], id="elsewhere: the whole path"),
        pytest.param([".."], ["{root}/"], id="the folder above: by its whole path"),
    ],
)
def test_ids_begin_with_the_folder(project: Path, paths: list[str], expected: list[str]) -> None:
    assert prefixes([Path(path) for path in paths]) == [beginning.format(root=project) for beginning in expected]


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        pytest.param(["a.md"], "there is no folder to prune", id="a file"),
        pytest.param(["."], "the working directory cannot be pruned", id="the working directory"),
        pytest.param(["docs", "../project"], "the working directory cannot be pruned", id="by another name"),
    ],
)
def test_what_has_no_beginning_is_refused(paths: list[str], said: str) -> None:
    with pytest.raises(PruneError, match=said):
        prefixes([Path(path) for path in paths])
