"""`scic up`, `status`, `restart` and `down`: the mesh on this machine."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from scic.cli.mesh_progress import Progress, welcome
from scic.cli.output import output
from scic.mesh.errors import MeshError
from scic.mesh.options import DATA_DIR_VARIABLE, DEFAULT_EDGE_PORT, MeshOptions, default_data_dir
from scic.mesh.packages import check_packages
from scic.mesh.paths import MeshPaths
from scic.mesh.state import MeshState, read_state
from scic.mesh.store import Store, hidden_documents

if TYPE_CHECKING:
    from scic.mesh.report import ProcessReport

# What needs an engine is imported inside of the commands, after `check_packages`: a client-only install has the
# commands, and says in one sentence what they need.

EXIT_MESH_ERROR = 2
"""The mesh cannot start, or none runs."""
EXIT_UNHEALTHY = 3
"""`scic status`: it runs, and some process is not healthy."""

_DETACHED_START_SECONDS = 300.0
_DETACHED_LOG = "supervisor.log"

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        envvar=DATA_DIR_VARIABLE,
        help="Directory that holds all data. Default: the platform's place for user data.",
    ),
]


def up(
    data_dir: DataDir = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the public API on 127.0.0.1.")] = (
        DEFAULT_EDGE_PORT
    ),
    replicas: Annotated[int, typer.Option(min=1, max=16, help="Processes of each service.")] = 2,
    workers: Annotated[int, typer.Option(min=0, max=16, help="Processes that do jobs.")] = 1,
    store: Annotated[
        Store | None,
        typer.Option(help="Where passages are kept. Default: as at the last start of this directory, first embedded."),
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return when the mesh is healthy, and let it run.")] = False,
) -> None:
    """Start the mesh: Valkey, the four services, a worker, Envoy, Weaviate if it is the store. Ctrl-C stops it."""
    options = MeshOptions(
        data_dir=_directory(data_dir), edge_port=port, replicas=replicas, workers=workers, store=store
    )
    with _one_sentence():
        check_packages()
        if note := hidden_documents(MeshPaths(options.data_dir), options.store):
            _console().print(note)
        if detach:
            _detach(options)
            return
        from scic.mesh.launch import run_mesh  # noqa: PLC0415 - after `check_packages`

        with Progress(MeshPaths(options.data_dir), _console()) as progress:
            asyncio.run(run_mesh(options, progress.hear))


def status(
    data_dir: DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Ask every process of the mesh how it is. Exit code 0: all healthy; 3: some are not; 2: no mesh runs."""
    paths = MeshPaths(_directory(data_dir))
    with _one_sentence():
        state = _running(paths)
        from scic.mesh.health import Health  # noqa: PLC0415 - after `check_packages`
        from scic.mesh.report import report  # noqa: PLC0415 - after `check_packages`

        reports = asyncio.run(report(state))
    healthy = state.ready and all(entry.health is Health.HEALTHY for entry in reports)
    if as_json:
        print(json.dumps(_as_json(paths, state, reports, healthy=healthy), indent=2))
    else:
        output().print(_table(state, reports), highlight=False)
    if not healthy:
        raise typer.Exit(EXIT_UNHEALTHY)


def restart(
    service: Annotated[str | None, typer.Argument(help="selector, compressor, composer, gateway or worker.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Restart one service, or all, replica by replica, while the mesh goes on answering."""
    paths = MeshPaths(_directory(data_dir))
    with _one_sentence():
        state = _running(paths)
        from scic.mesh.restart import ask_restart  # noqa: PLC0415 - after `check_packages`

        ask_restart(paths, state, service)
    _console().print(f"Restarted every replica of {service or 'every service'}.")


def down(data_dir: DataDir = None) -> None:
    """Stop the mesh and wait until no process is left."""
    paths = MeshPaths(_directory(data_dir))
    with _one_sentence():
        check_packages()
        from scic.mesh.stop import stop_mesh  # noqa: PLC0415 - after `check_packages`

        stopped = stop_mesh(paths)
    _console().print("The mesh has stopped." if stopped else f"No mesh runs in {paths.data_dir}.")


def _directory(data_dir: Path | None) -> Path:
    return (data_dir or default_data_dir()).expanduser().absolute()


def _running(paths: MeshPaths) -> MeshState:
    check_packages()
    from scic.mesh.report import running_mesh  # noqa: PLC0415 - after `check_packages`

    state = running_mesh(paths)
    if state is None:
        raise MeshError(
            f"No mesh runs in {paths.data_dir}: start one with `scic up`, or name its directory with --data-dir or "
            f"{DATA_DIR_VARIABLE}."
        )
    return state


@contextmanager
def _one_sentence() -> Iterator[None]:
    try:
        yield
    except MeshError as error:
        _fail(str(error))


def _fail(sentence: str) -> NoReturn:
    print(sentence, file=sys.stderr)
    raise typer.Exit(EXIT_MESH_ERROR)


def _console() -> Console:
    return Console(highlight=False, soft_wrap=True)


def _as_json(paths: MeshPaths, state: MeshState, reports: "list[ProcessReport]", *, healthy: bool) -> dict[str, object]:
    return {
        "healthy": healthy,
        "edge": state.edge,
        "ledger_page": state.ledger_page,
        "api_key_file": state.api_key_file,
        "data_dir": str(paths.data_dir),
        "supervisor": state.pid,
        "processes": [
            {
                "service": entry.record.service,
                "replica": entry.record.replica,
                "pid": entry.record.pid,
                "address": entry.record.address,
                "metrics": entry.record.metrics,
                "health": entry.health.value,
            }
            for entry in reports
        ],
    }


def _table(state: MeshState, reports: "list[ProcessReport]") -> Table:
    title = f"scic at {state.edge}, ledger at {state.ledger_page}"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in ("service", "replica", "pid", "address", "health"):
        table.add_column(column, no_wrap=True)
    for entry in reports:
        record = entry.record
        style = "green" if entry.health.value == "healthy" else "red"
        health = Text(entry.health.value.replace("_", " "), style=style)
        table.add_row(record.service, str(record.replica), str(record.pid), record.address, health)
    return table


def _detach(options: MeshOptions) -> None:
    """Run `up` in a session of its own, and wait until it is healthy or has failed."""
    paths = MeshPaths(options.data_dir)
    try:
        paths.create()
        log = (paths.logs / _DETACHED_LOG).open("w+", encoding="utf-8")
    except OSError as error:
        raise MeshError(
            f"The data directory {paths.data_dir} cannot be written ({error.strerror}): choose another with --data-dir."
        ) from error
    arguments: tuple[str, ...] = (
        *("up", "--data-dir", str(options.data_dir)),
        *("--port", str(options.edge_port), "--replicas", str(options.replicas), "--workers", str(options.workers)),
    )
    if options.store is not None:
        arguments = (*arguments, "--store", options.store)
    with log:
        child = subprocess.Popen(
            # -P: a folder `services` where the person stands is not ours.
            [sys.executable, "-P", "-m", "scic.cli", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,  # where its one sentence goes
            start_new_session=True,
        )
        deadline = time.monotonic() + _DETACHED_START_SECONDS
        while time.monotonic() < deadline:
            if child.poll() is not None:
                log.seek(0)
                raise MeshError(log.read().strip() or "The mesh ended before it was healthy.")
            state = read_state(paths.state)
            if state is not None and state.pid == child.pid and state.ready:
                _console().print(welcome(state, paths, ""))
                return
            time.sleep(0.1)
        child.terminate()
        raise MeshError(f"The mesh did not become healthy within {_DETACHED_START_SECONDS:g} s: see {log.name}.")
