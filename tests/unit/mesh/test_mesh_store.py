"""Which store a data directory uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scic.mesh.paths import MeshPaths
from scic.mesh.store import Store, chosen_store, hidden_documents, remember_store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def paths(tmp_path: Path) -> MeshPaths:
    paths = MeshPaths(tmp_path)
    paths.create()
    return paths


@pytest.mark.parametrize(
    ("last", "wanted", "chosen"),
    [
        (None, None, "embedded"),
        (None, "weaviate", "weaviate"),
        ("weaviate", None, "weaviate"),
        ("weaviate", "embedded", "embedded"),
        ("embedded", None, "embedded"),
    ],
)
def test_the_last_store_is_the_default(paths: MeshPaths, last: str | None, wanted: str | None, chosen: str) -> None:
    if last:
        remember_store(paths, Store(last))
    assert chosen_store(paths, Store(wanted) if wanted else None) == chosen


@pytest.mark.parametrize(
    ("last", "wanted"),
    [(None, "weaviate"), ("weaviate", None), ("weaviate", "weaviate"), ("embedded", "embedded")],
)
def test_nothing_is_hidden_where_the_store_stays(paths: MeshPaths, last: str | None, wanted: str | None) -> None:
    if last:
        remember_store(paths, Store(last))
    assert hidden_documents(paths, Store(wanted) if wanted else None) is None


@pytest.mark.parametrize(("last", "wanted"), [("embedded", "weaviate"), ("weaviate", "embedded")])
def test_the_other_store_hides_what_was_ingested_and_one_sentence_says_so(
    paths: MeshPaths, last: str, wanted: str
) -> None:
    remember_store(paths, Store(last))
    said = hidden_documents(paths, Store(wanted))
    assert said is not None
    assert f"ingested into the {last} store are not visible" in said
    assert f"`scic up --store {last}`" in said


def test_a_directory_from_before_there_was_a_choice_has_its_documents_in_the_embedded_store(paths: MeshPaths) -> None:
    (paths.selector / "corpus").mkdir()
    assert chosen_store(paths, None) is Store.EMBEDDED
    assert hidden_documents(paths, Store.WEAVIATE) is not None


def test_a_directory_that_does_not_exist_yet_hides_nothing(tmp_path: Path) -> None:
    assert hidden_documents(MeshPaths(tmp_path / "new"), Store.WEAVIATE) is None
