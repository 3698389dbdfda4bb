"""What a person chooses when starting a mesh."""

from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from scic.mesh.store import Store

DEFAULT_EDGE_PORT = 8080

DATA_DIR_VARIABLE = "SCIC_DATA_DIR"
"""Environment variable that names the data directory to every command."""


def default_data_dir() -> Path:
    """The platform's directory for this user's data, such as `~/.local/share/scic`."""
    return Path(platformdirs.user_data_dir("scic", appauthor=False))


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshOptions:
    """The options of `scic up`."""

    data_dir: Path = field(default_factory=default_data_dir)
    """Absolute directory that holds everything the mesh writes."""
    edge_port: int = DEFAULT_EDGE_PORT
    """Loopback TCP port of the public API, 1-65535."""
    replicas: int = 2
    """Processes of each of the four services, at least 1."""
    workers: int = 1
    """Processes that do jobs; without one, jobs wait."""
    store: Store | None = None
    """Where the selectors keep passages; None is the store of the directory's last start, at first the embedded one."""
