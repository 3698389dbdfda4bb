"""Weaviate on a laptop: finds a server or says how to get one, and configures the one that a mesh starts."""

import secrets
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from scic.mesh.errors import MeshError
from scic.mesh.files import write_private
from scic.mesh.paths import MeshPaths
from scic.mesh.ports import LOOPBACK

VERSION = "1.39.0"
"""The version that is tested and deployed."""
GO_MODULE = f"github.com/weaviate/weaviate/cmd/weaviate-server@v{VERSION}"
"""What `go install` makes the program from."""
PROGRAM = "weaviate-server"
DEFAULT_GRPC_PORT = 50051

_USER = "scic"
_HIGHEST_PORT = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How selectors reach a server."""

    url: str
    """`http://host:port`"""
    grpc_port: int = DEFAULT_GRPC_PORT
    api_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that the mesh is to start."""

    program: Path
    api_key: str


def find_weaviate(environ: Mapping[str, str], paths: MeshPaths) -> Connection | Server:
    """The server that WEAVIATE_URL names, else one that can be started here; raises MeshError where there is neither.

    WEAVIATE_GRPC_PORT and WEAVIATE_API_KEY belong to WEAVIATE_URL.
    """
    if url := environ.get("WEAVIATE_URL"):
        return _connection(url, environ)
    program = find_program(environ)
    if program is None:
        raise MeshError(
            f"No {PROGRAM} is on the PATH or where Go installs programs: get it by `make weaviate` or "
            f"`go install {GO_MODULE}`, or set WEAVIATE_URL to a server that runs."
        )
    return Server(program=program, api_key=_ensure_api_key(paths))


def find_program(environ: Mapping[str, str]) -> Path | None:
    """The server's program: on the PATH, or where `go install` puts it; None if it is in neither place."""
    found = shutil.which(PROGRAM, path=environ.get("PATH"))
    if found is not None:
        return Path(found)
    return next((path for folder in _go_folders(environ) if (path := folder / PROGRAM).is_file()), None)


def server_command(program: Path, http: int) -> tuple[str, ...]:
    """The command line of a server; all else it takes from its environment."""
    return (str(program), "--scheme", "http", "--host", LOOPBACK, "--port", str(http))


def server_environment(
    *, data: Path, grpc: int, gossip: int, internal: int, raft: int, raft_rpc: int, api_key: str
) -> dict[str, str]:
    """The settings of a server that is a cluster of one node, as environment variables; five ports beside HTTP's.

    Weaviate opens its gRPC port and the port of its internal API to every network, whatever the bind address says, so
    that each asks for the key. The node's name is fixed and its address is not: it finds its data again on other ports.
    """
    return {
        "PERSISTENCE_DATA_PATH": str(data),
        "DEFAULT_VECTORIZER_MODULE": "none",
        "AUTOSCHEMA_ENABLED": "false",
        "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "false",
        "AUTHENTICATION_APIKEY_ENABLED": "true",
        "AUTHENTICATION_APIKEY_ALLOWED_KEYS": api_key,
        "AUTHENTICATION_APIKEY_USERS": _USER,
        "AUTHORIZATION_ADMINLIST_ENABLED": "true",
        "AUTHORIZATION_ADMINLIST_USERS": _USER,
        "CLUSTER_BASIC_AUTH_USERNAME": _USER,
        "CLUSTER_BASIC_AUTH_PASSWORD": api_key,
        "CLUSTER_HOSTNAME": "node1",
        "CLUSTER_BIND_ADDR": LOOPBACK,
        "CLUSTER_ADVERTISE_ADDR": LOOPBACK,
        "CLUSTER_GOSSIP_BIND_PORT": str(gossip),
        "CLUSTER_DATA_BIND_PORT": str(internal),
        "RAFT_BOOTSTRAP_EXPECT": "1",
        # One node waits for nobody before it elects itself: ready after four seconds, not nine.
        "RAFT_TIMEOUTS_MULTIPLIER": "1",
        "RAFT_PORT": str(raft),
        "RAFT_INTERNAL_RPC_PORT": str(raft_rpc),
        "GRPC_PORT": str(grpc),
        "DISABLE_TELEMETRY": "true",
        # Its port is fixed: a second server on this machine could not have it.
        "GO_PROFILING_DISABLE": "true",
    }


def _connection(url: str, environ: Mapping[str, str]) -> Connection:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or True)
        port = int(environ.get("WEAVIATE_GRPC_PORT", DEFAULT_GRPC_PORT))
    except ValueError:  # one of the ports is no number
        usable, port = False, 0
    if not usable or not 1 <= port <= _HIGHEST_PORT:
        raise MeshError(
            "WEAVIATE_URL must be http://host:port or https://host:port, and WEAVIATE_GRPC_PORT, if set, a port number."
        )
    return Connection(url=url.rstrip("/"), grpc_port=port, api_key=environ.get("WEAVIATE_API_KEY") or None)


def _go_folders(environ: Mapping[str, str]) -> list[Path]:
    go = shutil.which("go", path=environ.get("PATH"))
    if go is None:
        return [Path(environ.get("GOPATH") or Path.home() / "go") / "bin"]
    command = (go, "env", "GOBIN", "GOPATH")
    said = subprocess.run(command, env=dict(environ), capture_output=True, text=True, check=False)  # noqa: S603 - Go's
    gobin, gopath = (*said.stdout.splitlines(), "", "")[:2]
    return [Path(gobin)] if gobin else [Path(gopath.split(":")[0]) / "bin"] if gopath else []


def _ensure_api_key(paths: MeshPaths) -> str:
    # Loopback is open to every user of the machine, and gRPC to the network.
    if not paths.weaviate_key.exists():
        write_private(paths.weaviate_key, f"{secrets.token_urlsafe(32)}\n")
    return paths.weaviate_key.read_text(encoding="utf-8").strip()
