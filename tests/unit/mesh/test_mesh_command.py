"""`scic up`, `status`, `restart` and `down` as processes, over stand-ins for the four services."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import psutil
import pytest

from scic.mesh.ports import free_ports
from tests.weaviate import required_program

ROOT = Path(__file__).parents[3]
STAND_IN = Path(__file__).with_name("stand_in.py")
SERVICES = ("selector", "compressor", "composer", "gateway")


@dataclass
class Shell:
    """Runs `scic` where `services` is a checkout of stand-ins."""

    checkout: Path
    data_dir: Path
    port: int

    def scic(
        self, *arguments: str, data_dir: Path | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.command(*arguments), "--data-dir", str(data_dir or self.data_dir)],
            env=self.env() | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-P", "-m", "scic.cli", *arguments]

    def env(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name != "WEAVIATE_URL"}
        return {**kept, "PYTHONPATH": f"{self.checkout}{os.pathsep}{ROOT}", "COLUMNS": "120"}

    def up(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.scic("up", "--detach", "--port", str(self.port), "--replicas", "1", *arguments)

    def status(self) -> dict[str, Any]:
        ran = self.scic("status", "--json")
        assert ran.returncode in {0, 3}, ran.stderr
        reply: dict[str, Any] = json.loads(ran.stdout)
        return reply

    def processes(self) -> list[psutil.Process]:
        """Every process of this test's mesh."""
        here = str(self.data_dir.parent)
        found = []
        for process in psutil.process_iter():
            try:
                if process.status() != psutil.STATUS_ZOMBIE and any(here in text for text in of(process)):
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found


def of(process: psutil.Process) -> list[str]:
    return [*process.cmdline(), process.cwd()]


def until(what: str, condition: Any) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@pytest.fixture
def shell(tmp_path: Path) -> Any:
    checkout = tmp_path / "checkout"
    for service in SERVICES:
        folder = checkout / "services" / service
        folder.mkdir(parents=True)
        (folder / "__main__.py").write_text(
            "import os, runpy\n"
            f"os.environ['STAND_IN_PORT'] = os.environ['SCIC_{service.upper()}_PORT']\n"
            f"runpy.run_path({str(STAND_IN)!r}, run_name='__main__')\n"
        )
    (checkout / "services" / "__init__.py").touch()
    (checkout / "services" / "text").mkdir()
    (checkout / "services" / "text" / "model.py").write_text("print('prepared')\n")
    (checkout / "envoy").symlink_to(ROOT / "envoy")
    shell = Shell(checkout, tmp_path / "data", next(free_ports(Random())))
    yield shell
    for process in shell.processes():
        process.kill()


@pytest.mark.e2e
def test_a_mesh_lives_from_up_to_down(shell: Shell) -> None:
    up = shell.up()
    assert up.returncode == 0, up.stderr
    page = f"http://127.0.0.1:{shell.port}/ledger/"
    for told in (f"127.0.0.1:{shell.port}", page, str(shell.data_dir / "api-key"), "/metrics", "scic context"):
        assert told in up.stdout

    status = shell.status()
    assert status["healthy"] is True
    assert (status["edge"], status["ledger_page"]) == (f"127.0.0.1:{shell.port}", page)
    assert sorted(entry["service"] for entry in status["processes"]) == sorted(
        (*SERVICES, "worker", "valkey", "sidecar", "edge")
    )
    assert {entry["health"] for entry in status["processes"]} == {"healthy"}
    table = shell.scic("status")
    assert table.returncode == 0
    assert page in table.stdout
    for entry in status["processes"]:
        assert str(entry["pid"]) in table.stdout

    second = shell.up()
    assert second.returncode == 2
    assert "already runs" in second.stderr
    elsewhere = shell.scic("up", "--port", str(shell.port), data_dir=shell.data_dir.with_name("other"))
    assert elsewhere.returncode == 2
    assert elsewhere.stderr == f"Port {shell.port} is in use: stop what listens there, or choose another with --port.\n"

    before = {entry["service"]: entry["pid"] for entry in status["processes"]}
    assert shell.scic("restart", "composer").returncode == 0
    after = {entry["service"]: entry["pid"] for entry in shell.status()["processes"]}
    assert {service for service in before if before[service] != after[service]} == {"composer"}
    refused = shell.scic("restart", "valkey")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "cannot be restarted in turn" in refused.stderr

    os.kill(after["selector"], signal.SIGSTOP)
    unwell = shell.scic("status", "--json")
    os.kill(after["selector"], signal.SIGCONT)
    assert unwell.returncode == 3
    health = {entry["service"]: entry["health"] for entry in json.loads(unwell.stdout)["processes"]}
    assert health["selector"] == "unreachable"

    down = shell.scic("down")
    assert (down.returncode, down.stderr) == (0, "")
    assert shell.processes() == []
    assert shell.scic("down").returncode == 0


@pytest.mark.e2e
def test_a_mesh_starts_a_weaviate_remembers_it_and_says_what_the_other_store_hides(shell: Shell) -> None:
    required_program()
    up = shell.up("--store", "weaviate")
    assert up.returncode == 0, up.stderr
    assert "not visible" not in up.stdout
    status = shell.status()
    assert status["healthy"] is True
    (address,) = [entry["address"] for entry in status["processes"] if entry["service"] == "weaviate"]
    assert "weaviate" in shell.scic("status").stdout
    assert shell.scic("down").returncode == 0
    assert shell.processes() == []

    again = shell.up()
    assert "not visible" not in again.stdout
    (moved,) = [entry["address"] for entry in shell.status()["processes"] if entry["service"] == "weaviate"]
    assert moved != address
    assert shell.scic("down").returncode == 0
    embedded = shell.up("--store", "embedded")
    assert embedded.stdout.startswith("Documents that were ingested into the weaviate store are not visible")
    assert "weaviate" not in {entry["service"] for entry in shell.status()["processes"]}
    assert shell.scic("down").returncode == 0


@pytest.mark.e2e
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills children with their parent")
def test_kill_9_of_the_supervisor_leaves_no_process_and_the_next_start_works(shell: Shell) -> None:
    assert shell.up().returncode == 0
    key = (shell.data_dir / "api-key").read_text()
    os.kill(shell.status()["supervisor"], signal.SIGKILL)
    until("children live on", lambda: not shell.processes())
    none = shell.scic("status")
    assert none.returncode == 2
    assert none.stderr == (
        f"No mesh runs in {shell.data_dir}: start one with `scic up`, or name its directory with --data-dir or "
        "SCIC_DATA_DIR.\n"
    )
    again = shell.up()
    assert again.returncode == 0, again.stderr
    assert (shell.data_dir / "api-key").read_text() == key
    assert shell.scic("down").returncode == 0


@pytest.mark.e2e
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_the_foreground_stops_everything(shell: Shell, number: signal.Signals) -> None:
    arguments = ("up", "--port", str(shell.port), "--replicas", "1", "--data-dir", str(shell.data_dir))
    with subprocess.Popen(shell.command(*arguments), env=shell.env(), stdout=subprocess.PIPE, text=True) as mesh:
        lines = mesh.stdout
        assert lines is not None
        until("it is not up", lambda: "Ctrl-C stops it" in lines.readline())
        mesh.send_signal(number)
        mesh.communicate(timeout=60)
    assert mesh.returncode == 0
    assert shell.processes() == []
    assert not (shell.data_dir / "mesh.json").exists()


@pytest.mark.e2e
def test_a_service_that_fails_is_quoted_and_nothing_is_left(shell: Shell) -> None:
    (shell.checkout / "services" / "composer" / "__main__.py").write_text("raise SystemExit('SCIC_X is missing')\n")
    up = shell.up()
    assert up.returncode == 2
    assert up.stderr.startswith("composer-1 ended with exit code 1; the end of ")
    assert "SCIC_X is missing" in up.stderr
    assert "Traceback" not in up.stderr
    assert shell.processes() == []


@pytest.mark.parametrize(
    ("arguments", "data_dir", "says"),
    [
        (("up",), "file/data", "cannot be written (Not a directory): choose another with --data-dir."),
        (("up", "--detach"), "file/data", "cannot be written (Not a directory): choose another with --data-dir."),
        (("status",), "empty", "No mesh runs in "),
        (("restart",), "empty", "No mesh runs in "),
    ],
    ids=["up", "up detached", "status", "restart"],
)
def test_what_cannot_be_done_is_one_sentence(
    shell: Shell, arguments: tuple[str, ...], data_dir: str, says: str
) -> None:
    (shell.data_dir.parent / "file").write_text("")
    ran = shell.scic(*arguments, data_dir=shell.data_dir.parent / data_dir)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert says in ran.stderr
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize("detach", [(), ("--detach",)], ids=["foreground", "detached"])
def test_a_store_whose_server_is_missing_is_one_sentence_and_is_not_remembered(
    shell: Shell, detach: tuple[str, ...]
) -> None:
    nowhere = str(shell.data_dir.parent)
    ran = shell.scic("up", "--port", str(shell.port), "--store", "weaviate", *detach, PATH=nowhere, GOPATH=nowhere)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("No weaviate-server is on the PATH")
    assert ran.stderr.count("\n") == 1
    assert not (shell.data_dir / "store").exists()
    assert shell.processes() == []


def test_a_client_only_install_says_what_a_mesh_needs(shell: Shell) -> None:
    for service in SERVICES:
        (shell.checkout / "services" / service / "__main__.py").unlink()
    ran = shell.scic("up")
    assert ran.returncode == 2
    assert ran.stderr.startswith("This installation is the client only, without services.selector, ")
    assert 'pip install -e ".[mesh]"' in ran.stderr
    assert ran.stderr.count("\n") == 1
