"""Where the mesh keeps its files, all of them inside one data directory."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class MeshPaths:
    """The layout of a data directory."""

    data_dir: Path

    @property
    def state(self) -> Path:
        """What runs now; there only while a mesh runs."""
        return self.data_dir / "mesh.json"

    @property
    def lock(self) -> Path:
        """Held by the supervisor for as long as it lives."""
        return self.data_dir / "mesh.lock"

    @property
    def keys(self) -> Path:
        """Hashed API keys, read by the gateways."""
        return self.data_dir / "keys.json"

    @property
    def api_key(self) -> Path:
        """The laptop's own API key, in clear."""
        return self.data_dir / "api-key"

    @property
    def models(self) -> Path:
        """The prepared encoder."""
        return self.data_dir / "models"

    @property
    def selector(self) -> Path:
        """What was ingested."""
        return self.data_dir / "selector"

    @property
    def objects(self) -> Path:
        """Object storage: profiles and the ledger's records."""
        return self.data_dir / "objects"

    @property
    def valkey(self) -> Path:
        """Valkey's append-only file."""
        return self.data_dir / "valkey"

    @property
    def weaviate(self) -> Path:
        """Weaviate's data."""
        return self.data_dir / "weaviate"

    @property
    def weaviate_key(self) -> Path:
        """The API key of the Weaviate that the mesh starts, in clear."""
        return self.data_dir / "weaviate-key"

    @property
    def store(self) -> Path:
        """The name of the store that the last start used."""
        return self.data_dir / "store"

    @property
    def logs(self) -> Path:
        """One log a process."""
        return self.data_dir / "logs"

    @property
    def run(self) -> Path:
        """Configuration written for this run, and requests to the supervisor; emptied at each start."""
        return self.data_dir / "run"

    def create(self) -> None:
        """Create every directory, for this user only; raises OSError where that is not possible."""
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        for directory in (self.models, self.selector, self.objects, self.valkey, self.weaviate, self.logs, self.run):
            directory.mkdir(exist_ok=True, mode=0o700)
