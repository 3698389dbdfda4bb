"""A client in another language, made from protos/ alone, gets a context and reads an error."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import Protocol

import grpc.aio
import pytest

from scic.gateway.v1 import corpus_service_pb2, corpus_service_pb2_grpc

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
DOCUMENT = "# Herons\n\nThe grey heron of the Vistula delta nests in alder trees and eats 300 grams of fish a day.\n"
QUESTION = "How much fish does the grey heron of the Vistula delta eat a day?"


class RunningMesh(Protocol):
    @property
    def address(self) -> str: ...

    @property
    def api_key(self) -> str: ...


@pytest.fixture
def client_folder(tmp_path: Path) -> Path:
    """The example beside the protos, as in the repository, and nothing else of it."""
    if shutil.which("npm") is None:
        assert "CI" not in os.environ, "npm is missing"
        pytest.skip("npm is missing")
    shutil.copytree(ROOT / "protos", tmp_path / "protos")
    folder = tmp_path / "examples" / "node"
    shutil.copytree(ROOT / "examples" / "node", folder, ignore=shutil.ignore_patterns("node_modules"))
    return folder


async def _run(*command: str, folder: Path, seconds: float) -> tuple[int | None, str]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=asyncio.subprocess.STDOUT
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), seconds)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    return process.returncode, output.decode()


async def _ingest(mesh: RunningMesh) -> None:
    document = corpus_service_pb2.DocumentInput(
        document_id="herons.md", content=DOCUMENT.encode(), content_type="text/markdown"
    )
    async with grpc.aio.insecure_channel(mesh.address) as channel:
        stub = corpus_service_pb2_grpc.CorpusServiceStub(channel)
        call = stub.IngestDocuments(
            iter([corpus_service_pb2.IngestDocumentsRequest(document=document)]),
            metadata=(("authorization", f"Bearer {mesh.api_key}"),),
            timeout=30,
        )
        results = [result async for result in call]
    assert [result.document_id for result in results if not result.HasField("error")] == ["herons.md"]


async def test_a_node_client_gets_citations_and_reads_errors(mesh: RunningMesh, client_folder: Path) -> None:
    await _ingest(mesh)
    code, output = await _run("npm", "ci", "--no-audit", "--no-fund", folder=client_folder, seconds=180)
    assert code == 0, output

    code, output = await _run(
        "node",
        "client.js",
        "--address",
        mesh.address,
        "--key",
        mesh.api_key,
        QUESTION,
        folder=client_folder,
        seconds=30,
    )

    assert code == 0, output
    context, _, error = output.partition("--- the same with max_tokens 1\n")
    assert "300 grams" in context
    assert "\n[1] " in context.partition("--- evidence")[2]
    assert "herons.md" in context
    assert error.startswith("INVALID_ARGUMENT BUDGET_TOO_SMALL")
    assert "\n  field max_tokens: " in error
