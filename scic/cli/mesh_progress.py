"""How `scic up` shows a mesh that starts and stops."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from scic.cli.connection import same_directory
from scic.mesh.events import Event, EventKind
from scic.mesh.paths import MeshPaths
from scic.mesh.state import MeshState, read_state

_MARKS = {EventKind.HEALTHY: "[green]✓", EventKind.PREPARED: "[green]✓", EventKind.STOPPED: "[dim]■"}


class Progress:
    """Shows what the supervisor tells: live on a terminal, a line for each event elsewhere."""

    def __init__(self, paths: MeshPaths, console: Console) -> None:
        self._paths = paths
        self._console = console
        self._began = time.monotonic()
        self._lines: dict[str, tuple[EventKind, str]] = {}
        self._live = Live(console=console, refresh_per_second=8, transient=True, get_renderable=self._render)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def hear(self, event: Event) -> None:
        """Take in one event."""
        if event.kind is EventKind.READY:
            self._live.stop()
            self._lines.clear()
            self._print_welcome()
            return
        self._lines[event.name] = (event.kind, event.detail)
        if event.kind is EventKind.STOPPING and self._console.is_terminal:
            self._live.start()
        # After the start the live table is gone, and each event is a line of its own.
        if not self._live.is_started:
            self._console.print(f"{event.name} {event.kind}{': ' if event.detail else ''}{event.detail}")

    def _print_welcome(self) -> None:
        state = read_state(self._paths.state)
        if state is not None:
            took = f" in {time.monotonic() - self._began:.1f} s"
            self._console.print(welcome(state, self._paths, took))
            self._console.print("\nCtrl-C stops it.")

    def _render(self) -> Table:
        table = Table(box=None, pad_edge=False, show_header=False)
        for name, (kind, detail) in self._lines.items():
            table.add_row(_MARKS.get(kind, "[yellow]…"), name, f"{kind.value} {detail}")
        table.add_row("", f"[dim]{time.monotonic() - self._began:.1f} s")
        return table


def welcome(state: MeshState, paths: MeshPaths, took: str) -> str:
    """Where a mesh that is up listens, and what to do first."""
    place = same_directory(paths.data_dir)
    metrics = [f"  {record.service}-{record.replica}  {record.metrics}" for record in state.processes if record.metrics]
    return "\n".join(
        (
            f"The mesh is up{took}: {len(state.processes)} healthy processes.",
            f"edge     {state.edge}",
            f"ledger   {state.ledger_page}",
            f"API key  {state.api_key_file}",
            f"data     {paths.data_dir}",
            "metrics",
            *metrics,
            "",
            "A first question:",
            f"  scic ingest docs{place}",
            f'  scic context "How is a context built?" --max-tokens 1000{place}',
        )
    )
