"""Which mesh a command talks to, and with which key."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from scic.client import Client
from scic.mesh.options import DATA_DIR_VARIABLE, default_data_dir
from scic.mesh.paths import MeshPaths
from scic.mesh.state import read_state

Address = Annotated[
    str | None,
    typer.Option(
        "--address", envvar="SCIC_ADDRESS", help="host:port of the mesh. Default: the mesh that `scic up` started."
    ),
]
ApiKey = Annotated[
    str | None,
    typer.Option(
        "--api-key", envvar="SCIC_API_KEY", show_envvar=True, help="API key. Default: that of `scic up`'s mesh."
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", envvar=DATA_DIR_VARIABLE, help="Data directory of the mesh that `scic up` started."),
]


class NoConnectionError(Exception):
    """There is no mesh to talk to; the text is a sentence for the person at the terminal."""


def connect(address: str | None, api_key: str | None, data_dir: Path | None) -> Client:
    """A client for what the options say, or for the mesh that runs on this machine."""
    paths = MeshPaths((data_dir or default_data_dir()).expanduser().absolute())
    if api_key is None and address is not None:
        # The key of this machine's mesh is no business of another host.
        raise NoConnectionError("an address needs an API key; give one with --api-key or in SCIC_API_KEY")
    if address is None:
        state = read_state(paths.state)
        if state is None:
            raise NoConnectionError(
                f"no mesh runs in {paths.data_dir}; start one with `scic up`, or name one with --address, "
                f"or its directory with --data-dir or {DATA_DIR_VARIABLE}"
            )
        address = state.edge
    if api_key is None:
        try:
            api_key = paths.api_key.read_text(encoding="utf-8").strip()
        except OSError:
            raise NoConnectionError("no API key; give one with --api-key or in SCIC_API_KEY") from None
    return Client(address, api_key=api_key)


def same_mesh(address: str | None, data_dir: Path | None) -> str:
    """What a command that is given to copy needs behind it, to reach the mesh that this one reached.

    Nothing for the mesh in the default directory. An API key that was given stays with the person.
    """
    if address is not None:
        return f" --address {shlex.quote(address)}"
    return same_directory(data_dir or default_data_dir())


def same_directory(data_dir: Path) -> str:
    """` --data-dir DIRECTORY` for a directory that is not the default one."""
    place = data_dir.expanduser().absolute()
    return "" if place == default_data_dir() else f" --data-dir {shlex.quote(str(place))}"
