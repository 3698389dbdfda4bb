"""`mesh.json`: what runs now, for `scic status`, `scic down` and every command that looks for the mesh."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from scic.mesh.files import write_private
from scic.mesh.spec import Probe, ProbeKind


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRecord:
    """One process that runs, or ran when this was written."""

    service: str
    replica: int
    pid: int
    started: float
    """Seconds since 1970, by the operating system; pid and this together name a process."""
    address: str
    metrics: str | None
    probe: Probe


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshState:
    """One mesh."""

    pid: int
    """The supervisor."""
    started: float
    ready: bool
    """Whether every process was healthy once."""
    edge: str
    """`host:port` of the public API."""
    api_key_file: str
    processes: tuple[ProcessRecord, ...]

    @property
    def ledger_page(self) -> str:
        """URL of the page that shows what was in every context."""
        return f"http://{self.edge}/ledger/"


def write_state(path: Path, state: MeshState) -> None:
    """Replace the file at once."""
    write_private(path, json.dumps(dataclasses.asdict(state), indent=2) + "\n")


def read_state(path: Path) -> MeshState | None:
    """The state, or None where there is none that can be read."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        records = tuple(
            ProcessRecord(
                **{**record, "probe": Probe(**{**record["probe"], "kind": ProbeKind(record["probe"]["kind"])})}
            )
            for record in raw.pop("processes")
        )
        return MeshState(**raw, processes=records)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None  # a file of another version or a damaged one: nothing in it can be relied on
