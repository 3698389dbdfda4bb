"""Weaviate for a laptop's mesh: where it is found, and the real server with the laptop's configuration."""

from __future__ import annotations

import asyncio
import json
import stat
import urllib.error
import urllib.request
from pathlib import Path
from random import Random
from typing import Any

import pytest

from scic.mesh import process
from scic.mesh.errors import MeshError
from scic.mesh.health import wait_healthy
from scic.mesh.options import MeshOptions
from scic.mesh.packages import Installation
from scic.mesh.paths import MeshPaths
from scic.mesh.plan import laptop_plan
from scic.mesh.ports import free_ports
from scic.mesh.spec import MeshPlan, ProbeKind, ProcessSpec
from scic.mesh.weaviate import GO_MODULE, Connection, Server, find_program, find_weaviate
from tests.weaviate import required_program

ROOT = Path(__file__).parents[3]


@pytest.fixture
def paths(tmp_path: Path) -> MeshPaths:
    paths = MeshPaths(tmp_path / "data with spaces")
    paths.create()
    return paths


def executable(path: Path, script: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def planned(paths: MeshPaths, store: Connection | Server | None) -> MeshPlan:
    return laptop_plan(
        MeshOptions(data_dir=paths.data_dir),
        Installation(root=ROOT, envoy="/bin/envoy", valkey="/bin/valkey"),
        ports=free_ports(Random()),
        password="p4ss",
        store=store,
    )


def of(plan: MeshPlan, service: str) -> list[ProcessSpec]:
    return [spec for spec in plan.processes() if spec.service == service]


def test_the_program_on_the_path_comes_before_the_one_that_go_installed(tmp_path: Path) -> None:
    gos = executable(tmp_path / "gopath" / "bin" / "weaviate-server")
    environ = {"PATH": str(tmp_path / "bin"), "GOPATH": str(tmp_path / "gopath")}
    assert find_program(environ) == gos
    on_path = executable(tmp_path / "bin" / "weaviate-server")
    assert find_program(environ) == on_path


@pytest.mark.parametrize(
    ("gobin", "gopath", "folder"),
    [("", "{}/a:{}/b", "a/bin"), ("{}/c", "{}/a", "c")],
    ids=["first of GOPATH", "GOBIN"],
)
def test_go_is_asked_where_it_installs(tmp_path: Path, gobin: str, gopath: str, folder: str) -> None:
    executable(tmp_path / "bin" / "go", f"echo '{gobin}\n{gopath}'".replace("{}", str(tmp_path)))
    environ = {"PATH": f"{tmp_path}/bin:/bin:/usr/bin"}
    assert find_program(environ) is None
    there = executable(tmp_path / folder / "weaviate-server")
    assert find_program(environ) == there


def test_without_a_server_one_sentence_says_how_to_get_one(paths: MeshPaths, tmp_path: Path) -> None:
    with pytest.raises(MeshError) as caught:
        find_weaviate({"PATH": str(tmp_path), "GOPATH": str(tmp_path)}, paths)
    for way in ("make weaviate", f"go install {GO_MODULE}", "WEAVIATE_URL"):
        assert way in str(caught.value)
    assert not paths.weaviate_key.exists()


@pytest.mark.parametrize(
    ("environ", "connection"),
    [
        ({"WEAVIATE_URL": "http://db:8080"}, Connection(url="http://db:8080")),
        (
            {"WEAVIATE_URL": "https://db/", "WEAVIATE_GRPC_PORT": "443", "WEAVIATE_API_KEY": "k"},
            Connection(url="https://db", grpc_port=443, api_key="k"),
        ),
    ],
    ids=["plain", "all"],
)
def test_a_server_that_runs_is_used_and_none_is_started(
    paths: MeshPaths, environ: dict[str, str], connection: Connection
) -> None:
    assert find_weaviate(environ, paths) == connection
    plan = planned(paths, connection)
    assert of(plan, "weaviate") == []
    for selector in of(plan, "selector"):
        assert selector.env["SCIC_SELECTOR_WEAVIATE_URL"] == connection.url
        assert selector.env["SCIC_SELECTOR_WEAVIATE_GRPC_PORT"] == str(connection.grpc_port)
        assert selector.env.get("SCIC_SELECTOR_WEAVIATE_API_KEY") == connection.api_key


@pytest.mark.parametrize(
    "environ",
    [
        {"WEAVIATE_URL": "db:8080"},
        {"WEAVIATE_URL": "http://"},
        {"WEAVIATE_URL": "http://db:many"},
        {"WEAVIATE_URL": "http://db:8080", "WEAVIATE_GRPC_PORT": "0"},
        {"WEAVIATE_URL": "http://db:8080", "WEAVIATE_GRPC_PORT": "x"},
    ],
    ids=lambda environ: " ".join(environ.values()),
)
def test_a_url_that_cannot_be_used_is_refused(paths: MeshPaths, environ: dict[str, str]) -> None:
    with pytest.raises(MeshError, match="WEAVIATE_URL must be http://host:port"):
        find_weaviate(environ, paths)


def test_the_key_is_made_once_for_this_user_only(paths: MeshPaths, tmp_path: Path) -> None:
    environ = {"PATH": str(executable(tmp_path / "weaviate-server").parent)}
    first, second = find_weaviate(environ, paths), find_weaviate(environ, paths)
    assert first == second
    assert isinstance(first, Server)
    assert len(first.api_key) >= 32
    assert stat.S_IMODE(paths.weaviate_key.stat().st_mode) == 0o600


def test_the_mesh_starts_its_server_with_the_stages_and_stops_it_after_them(paths: MeshPaths) -> None:
    plan = planned(paths, Server(program=Path("/bin/weaviate-server"), api_key="s3cret"))
    (server,) = of(plan, "weaviate")
    assert {spec.service for spec in plan.waves[0]} >= {"weaviate", "selector"}
    assert plan.stop_order[-1] == ("valkey", "weaviate")
    assert server.probe.kind is ProbeKind.HTTP
    assert server.probe.target == f"{server.address}/v1/.well-known/ready"
    assert "s3cret" not in " ".join(server.argv), "every user of the machine can read a command line"
    (valkey,) = of(plan, "valkey")
    for selector in of(plan, "selector"):
        assert selector.env["SCIC_SELECTOR_STORE"] == "weaviate"
        assert selector.env["SCIC_SELECTOR_WEAVIATE_URL"] == f"http://{server.address}"
        assert selector.env["SCIC_SELECTOR_WEAVIATE_GRPC_PORT"] == server.env["GRPC_PORT"]
        assert selector.env["SCIC_SELECTOR_WEAVIATE_API_KEY"] == "s3cret"
        assert selector.env["SCIC_SELECTOR_REDIS_URL"] == f"redis://:p4ss@{valkey.address}/0"
        assert "SCIC_SELECTOR_DATA_DIR" not in selector.env


def test_with_the_embedded_store_there_is_no_server(paths: MeshPaths) -> None:
    plan = planned(paths, None)
    assert of(plan, "weaviate") == []
    for selector in of(plan, "selector"):
        assert selector.env["SCIC_SELECTOR_STORE"] == "embedded"
        assert not [name for name in selector.env if "WEAVIATE" in name or "REDIS" in name]


def call(spec: ProcessSpec, path: str, body: Any = None, *, key: str | None = None) -> Any:
    """The JSON that the server answers; an HTTPError for a status from 400 on."""
    request = urllib.request.Request(f"http://{spec.address}{path}", json.dumps(body).encode() if body else None)
    request.add_header("Content-Type", "application/json")
    if key:
        request.add_header("Authorization", f"Bearer {key}")
    with urllib.request.urlopen(request, timeout=20) as reply:
        return json.loads(reply.read())


@pytest.mark.e2e
async def test_the_real_server_keeps_what_was_written_over_kill_9_and_on_other_ports(paths: MeshPaths) -> None:
    program = required_program()
    key = "the key of this test"

    async def started() -> tuple[ProcessSpec, process.Running]:
        (spec,) = of(planned(paths, Server(program=program, api_key=key)), "weaviate")
        running = await process.start(spec)
        await asyncio.wait_for(wait_healthy(spec.probe), 120)
        return spec, running

    spec, server = await started()
    try:
        tenancy = {"class": "Note", "vectorizer": "none", "multiTenancyConfig": {"enabled": True}}
        text = {"name": "text", "dataType": ["text"]}
        call(spec, "/v1/schema", {**tenancy, "properties": [text]}, key=key)
        call(spec, "/v1/schema/Note/tenants", [{"name": "one"}], key=key)
        note = {"class": "Note", "tenant": "one", "properties": {"text": "kept"}, "vector": [1.0, 2.0]}
        stored = call(spec, "/v1/objects", note, key=key)["id"]
        for strangers_key in (None, "another"):
            with pytest.raises(urllib.error.HTTPError, match="401"):
                call(spec, "/v1/schema", key=strangers_key)
        server.process.kill()
        await server.wait()

        before = spec.address
        spec, server = await started()
        assert spec.address != before
        found = call(spec, "/v1/objects?class=Note&tenant=one", key=key)["objects"]
        assert [(item["id"], item["properties"]["text"]) for item in found] == [(stored, "kept")]
        call(spec, "/v1/schema/Note/tenants", [{"name": "two"}], key=key)
        assert len(call(spec, "/v1/schema/Note/tenants", key=key)) == 2
    finally:
        await server.stop(15.0, asyncio.Event())
