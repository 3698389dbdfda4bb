"""Starts the laptop mesh: checks what can be checked before, plans, supervises, cleans up."""

import asyncio
import os
import random
import secrets
import signal
import sys
from contextlib import suppress
from pathlib import Path

import psutil

from scic.mesh import identity
from scic.mesh.errors import MeshError
from scic.mesh.events import Event, EventKind, Listener
from scic.mesh.files import write_private
from scic.mesh.key import ensure_key
from scic.mesh.lock import only_mesh
from scic.mesh.options import MeshOptions
from scic.mesh.packages import check_packages, installation
from scic.mesh.paths import MeshPaths
from scic.mesh.plan import laptop_plan
from scic.mesh.ports import LOOPBACK, free_ports, is_free
from scic.mesh.restart import REQUEST_SIGNAL, answer_requests
from scic.mesh.spec import MeshPlan
from scic.mesh.state import MeshState, ProcessRecord, read_state, write_state
from scic.mesh.store import Store, chosen_store, remember_store
from scic.mesh.supervisor import Supervisor
from scic.mesh.weaviate import find_weaviate


async def run_mesh(options: MeshOptions, tell: Listener) -> None:
    """Run a mesh until SIGINT, SIGTERM or SIGHUP; call it in the main thread.

    Raises MeshError, with no process left, if the mesh cannot start.
    """
    check_packages()
    paths = _usable(options.data_dir)
    with only_mesh(paths):
        _clean_up_after_a_killed_supervisor(paths)
        if not is_free(options.edge_port):
            raise MeshError(
                f"Port {options.edge_port} is in use: stop what listens there, or choose another with --port."
            )
        ensure_key(paths)
        store = chosen_store(paths, options.store)
        server = find_weaviate(os.environ, paths) if store is Store.WEAVIATE else None
        remember_store(paths, store)
        ports = free_ports(random.SystemRandom(), but=options.edge_port)
        password = secrets.token_urlsafe(24)
        plan = laptop_plan(options, installation(), ports=ports, password=password, store=server)
        await supervise(plan, paths, edge=f"{LOOPBACK}:{options.edge_port}", tell=tell)


async def supervise(plan: MeshPlan, paths: MeshPaths, *, edge: str, tell: Listener) -> None:
    """Run a plan until a signal, and keep `mesh.json` true as long."""
    for path, text in plan.files.items():
        write_private(path, text)
    journal = _Journal(paths, edge, tell)
    supervisor = Supervisor(plan, tell=journal.hear)
    journal.supervisor = supervisor
    loop = asyncio.get_running_loop()
    requested = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, supervisor.stop)
    loop.add_signal_handler(REQUEST_SIGNAL, requested.set)
    answering = asyncio.create_task(_answer_when_requested(requested, paths, supervisor))
    try:
        await supervisor.run()
    finally:
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, REQUEST_SIGNAL):
            loop.remove_signal_handler(number)
        paths.state.unlink(missing_ok=True)


class _Journal:
    """Writes the state whenever something happened, then passes the event on."""

    def __init__(self, paths: MeshPaths, edge: str, tell: Listener) -> None:
        self.supervisor: Supervisor | None = None
        self._paths = paths
        self._edge = edge
        self._tell = tell
        self._ready = False
        self._started = psutil.Process().create_time()

    def hear(self, event: Event) -> None:
        self._ready = self._ready or event.kind is EventKind.READY
        try:
            write_state(self._paths.state, self._state())
        except OSError as error:  # the mesh goes on: only what tells others about it is late
            print(f"{self._paths.state} could not be written: {error}", file=sys.stderr)  # noqa: T201 - our log
        self._tell(event)

    def _state(self) -> MeshState:
        keepers = self.supervisor.keepers if self.supervisor else []
        return MeshState(
            pid=os.getpid(),
            started=self._started,
            ready=self._ready,
            edge=self._edge,
            api_key_file=str(self._paths.api_key),
            processes=tuple(
                ProcessRecord(
                    service=keeper.spec.service,
                    replica=keeper.spec.replica,
                    pid=keeper.running.pid,
                    started=keeper.running.started,
                    address=keeper.spec.address,
                    metrics=keeper.spec.metrics,
                    probe=keeper.spec.probe,
                )
                for keeper in keepers
                if keeper.running is not None
            ),
        )


async def _answer_when_requested(requested: asyncio.Event, paths: MeshPaths, supervisor: Supervisor) -> None:
    while True:
        await requested.wait()
        requested.clear()
        await answer_requests(paths, supervisor.rolling_restart)


def _usable(data_dir: Path) -> MeshPaths:
    paths = MeshPaths(data_dir.expanduser().absolute())
    try:
        paths.create()
        write_private(paths.run / "writable", "")
    except OSError as error:
        raise MeshError(
            f"The data directory {paths.data_dir} cannot be written ({error.strerror}): choose another with --data-dir."
        ) from error
    return paths


def _clean_up_after_a_killed_supervisor(paths: MeshPaths) -> None:
    state = read_state(paths.state)
    if state is not None:
        identity.kill(identity.children_of(state))
    paths.state.unlink(missing_ok=True)
    for left_over in paths.run.iterdir():
        with suppress(IsADirectoryError, PermissionError):  # not ours
            left_over.unlink()
