"""What the mesh keeps in its data directory: key, state, lock, and who may read them."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import stat
import subprocess
import sys
from itertools import islice
from random import Random
from typing import TYPE_CHECKING

import psutil
import pytest

from scic.mesh import identity
from scic.mesh.errors import MeshError
from scic.mesh.files import write_private
from scic.mesh.key import ensure_key
from scic.mesh.lock import only_mesh
from scic.mesh.paths import MeshPaths
from scic.mesh.ports import LOOPBACK, free_ports, is_free
from scic.mesh.spec import Probe, ProbeKind
from scic.mesh.state import MeshState, ProcessRecord, read_state, write_state
from services.gateway.callers.principal import read_keys

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def paths(tmp_path: Path) -> MeshPaths:
    paths = MeshPaths(tmp_path / "data with spaces")
    paths.create()
    return paths


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def state_of(pid: int, started: float) -> MeshState:
    record = ProcessRecord(
        service="selector",
        replica=2,
        pid=pid,
        started=started,
        address="127.0.0.1:20001",
        metrics=None,
        probe=Probe(ProbeKind.GRPC, "127.0.0.1:20001"),
    )
    return MeshState(
        pid=pid, started=started, ready=True, edge="127.0.0.1:8080", api_key_file="/k", processes=(record,)
    )


def test_a_first_start_makes_a_key_that_only_this_user_can_read(paths: MeshPaths) -> None:
    key = ensure_key(paths)
    assert key.startswith("scic_")
    assert len(key) >= 24
    assert paths.api_key.read_text().strip() == key
    assert json.loads(paths.keys.read_text()) == {
        "keys": [
            {
                "id": "laptop",
                "sha256": hashlib.sha256(key.encode()).hexdigest(),
                "tenant": "laptop",
                "roles": ["reader", "writer", "admin", "operator"],
                "groups": ["*"],
                "trust": "trusted",
            }
        ]
    }
    assert mode(paths.api_key) == mode(paths.keys) == 0o600
    assert mode(paths.data_dir) == 0o700
    assert key not in paths.keys.read_text()


def test_a_second_start_keeps_the_key_and_the_keys_that_were_added(paths: MeshPaths) -> None:
    key = ensure_key(paths)
    other = {"id": "team", "sha256": "00" * 32, "tenant": "team", "roles": ["reader"]}
    keys = json.loads(paths.keys.read_text())
    paths.keys.write_text(json.dumps({"keys": [*keys["keys"], other]}))
    assert ensure_key(paths) == key
    assert other in json.loads(paths.keys.read_text())["keys"]


def test_a_key_of_an_older_version_keeps_working_and_gets_what_is_new(paths: MeshPaths) -> None:
    key = ensure_key(paths)
    (entry,) = json.loads(paths.keys.read_text())["keys"]
    older = {name: entry[name] for name in ("id", "sha256", "tenant")} | {"roles": ["reader", "writer"]}
    team = {"id": "team", "sha256": "00" * 32, "tenant": "team", "roles": ["reader"]}
    paths.keys.write_text(json.dumps({"keys": [older, team]}))
    assert ensure_key(paths) == key
    assert json.loads(paths.keys.read_text())["keys"] == [entry, team]
    assert len(read_keys(paths.keys)) == 2, "the gateway reads it"


@pytest.mark.parametrize("lost", ["api_key", "keys"])
def test_a_lost_file_is_made_again_and_fits_the_other(paths: MeshPaths, lost: str) -> None:
    ensure_key(paths)
    getattr(paths, lost).unlink()
    key = ensure_key(paths)
    (entry,) = json.loads(paths.keys.read_text())["keys"]
    assert entry["sha256"] == hashlib.sha256(key.encode()).hexdigest()


@pytest.mark.parametrize("content", ["", "not json", "[]", "{}", '{"keys": 7}', "null"])
def test_a_damaged_key_file_is_named_and_left_alone(paths: MeshPaths, content: str) -> None:
    paths.keys.write_text(content)
    with pytest.raises(MeshError, match=r"keys\.json is not a key file"):
        ensure_key(paths)
    assert paths.keys.read_text() == content


def test_the_state_reads_back_as_written(paths: MeshPaths) -> None:
    state = state_of(4242, 1_700_000_000.25)
    write_state(paths.state, state)
    assert read_state(paths.state) == state
    assert state.ledger_page == "http://127.0.0.1:8080/ledger/"
    assert mode(paths.state) == 0o600


@pytest.mark.parametrize("content", [None, "", "{", "[]", "{}", '{"processes": [{}]}', '{"processes": 1}'])
def test_a_state_that_cannot_be_relied_on_is_none(paths: MeshPaths, content: str | None) -> None:
    if content is not None:
        paths.state.write_text(content)
    assert read_state(paths.state) is None


def test_a_failed_write_leaves_the_old_file_and_no_other(paths: MeshPaths) -> None:
    target = paths.run / "file"
    write_private(target, "old")
    with pytest.raises(UnicodeEncodeError):
        write_private(target, "\ud800")
    assert target.read_text() == "old"
    assert list(paths.run.iterdir()) == [target]


def test_a_process_is_known_by_pid_and_beginning() -> None:
    me = psutil.Process()
    assert identity.find_process(me.pid, me.create_time()) == me
    assert identity.find_process(me.pid, me.create_time() - 3600) is None


def test_left_over_processes_are_killed_and_strangers_are_not() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        started = psutil.Process(child.pid).create_time()
        identity.kill(identity.children_of(state_of(child.pid, started - 3600)))
        assert child.poll() is None
        identity.kill(identity.children_of(state_of(child.pid, started)))
        assert identity.find_process(child.pid, started) is None
    finally:
        child.kill()


def test_one_mesh_a_directory(paths: MeshPaths) -> None:
    write_state(paths.state, state_of(os.getpid(), 0.0))
    says = r"already runs in .*data with spaces.*edge 127\.0\.0\.1:8080"
    with only_mesh(paths), pytest.raises(MeshError, match=says), only_mesh(paths):
        pass
    with only_mesh(paths):
        pass


def test_a_port_with_a_listener_is_not_free() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        assert not is_free(server.getsockname()[1])


def test_the_port_of_the_edge_is_given_to_nobody_else() -> None:
    first = next(free_ports(Random(7)))
    assert first not in islice(free_ports(Random(7), but=first), 50)


def test_free_ports_are_distinct() -> None:
    ports = free_ports(Random(7))
    first = [next(ports) for _ in range(20)]
    assert len(set(first)) == 20
