"""`scic.testing`: what other teams start in their tests."""

import sys
from pathlib import Path

import pytest

import scic.testing
from scic.gateway.v1 import context_service_pb2 as pb
from tests.mesh.conftest import ingested
from tests.mesh.corpus import document

QUESTION = "How many grams of fish does a heron eat?"


def entries(folder: Path) -> int:
    return len(list(folder.iterdir()))


async def test_a_mesh_of_its_own_folder_keeps_what_was_ingested(tmp_path: Path) -> None:
    async with scic.testing.mesh(data_dir=tmp_path) as mesh, mesh.client() as client:
        await ingested(client, [document("herons.md", "A heron eats 300 grams of fish.")])
        before = await client.build_context(QUESTION, max_tokens=500)
        assert [item.document_id for item in before.evidence] == ["herons.md"]
        assert before.cache == pb.CACHE_STATUS_UNAVAILABLE, "without Redis nothing is cached, and the reply says so"
        assert not before.degradations
    async with scic.testing.mesh(data_dir=tmp_path) as mesh, mesh.client() as client:
        after = await client.build_context(QUESTION, max_tokens=500)
    assert after.evidence == before.evidence
    assert after.corpus_version == before.corpus_version


async def test_without_a_folder_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    async with scic.testing.mesh(tenants=("ours", "theirs")) as mesh:
        assert set(mesh.api_keys) == {"ours", "theirs"}
        async with mesh.client("ours") as client:
            await ingested(client, [document("herons.md", "A heron eats 300 grams of fish.")])
        async with mesh.client("theirs") as client:
            assert not (await client.build_context(QUESTION, max_tokens=500)).evidence
        with pytest.raises(KeyError):
            mesh.client("nobody")
        assert entries(tmp_path) == 1
    assert entries(tmp_path) == 0


async def test_a_client_only_install_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "services.selector.app", None)
    with pytest.raises(scic.testing.ServicesMissingError, match="extra `mesh`"):
        async with scic.testing.mesh():
            pass
