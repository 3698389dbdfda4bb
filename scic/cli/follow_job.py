"""Watches a job on a terminal."""

import sys
from collections.abc import Sequence

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from scic.cli.json_output import one_line
from scic.cli.show_jobs import event_line, is_clean, items_words, state_word
from scic.client import Client

EXIT_NOT_CLEAN = 1
"""A job is dead or cancelled, or some of its items failed."""

EXIT_LEFT = 130
"""The person went away; the job goes on."""


class Follower:
    """Shows what happens to jobs, one after the other: a line that moves, or a line each in a pipe."""

    def __init__(self, *, as_json: bool, place: str) -> None:
        """`place` stands behind the commands that are given to copy, as `same_mesh` makes it."""
        self._as_json = as_json
        self._place = place
        self._job_id = ""
        self._position = ""
        self._ahead: list[str] = []
        self._clean = True

    async def follow_all(self, client: Client, job_ids: Sequence[str]) -> None:
        """Shows jobs, each to its end."""
        self._ahead = list(job_ids)
        while self._ahead:
            await self.follow(client, self._ahead.pop(0))

    async def follow(self, client: Client, job_id: str, position: str = "") -> None:
        """Shows one job, from a position on to its end."""
        self._job_id, self._position = job_id, position
        job = None
        with _progress() as progress:
            task = progress.add_task(job_id, total=None, items="", failed="")
            async for event in client.watch_job(job_id, position=position):
                job, self._position = event.job, event.position
                failed = f", {job.failed_count} failed" if job.failed_count else ""
                progress.update(
                    task,
                    description=f"{job_id} {state_word(job)}",
                    total=job.item_count,
                    completed=job.done_count,
                    items=items_words(job).partition(" ")[2],
                    failed=failed,
                )
                if self._as_json:
                    print(one_line(event), flush=True)
                elif not sys.stderr.isatty():
                    print(f"{job_id} {event_line(job)}", flush=True)
        if job is None:
            # It had ended before the position.
            job = await client.get_job(job_id)
        if sys.stderr.isatty() and not self._as_json:
            print(f"{job_id} {event_line(job)}")
        self._clean = self._clean and is_clean(job)
        self._job_id = ""

    def tell(self) -> None:
        """Says how to go on with what is not watched to its end; nothing where that is nothing."""
        if self._job_id:
            since = f" --from {self._position}" if self._position else ""
            command = f"scic jobs watch {self._job_id}{since}{self._place}"
            typer.echo(f"the job goes on; `{command}` watches it again from here", err=True)
        if self._ahead:
            typer.echo(f"not watched yet: {', '.join(self._ahead)}", err=True)

    def end(self) -> None:
        """Ends the command with the code that says whether all came out well."""
        if not self._clean:
            raise typer.Exit(EXIT_NOT_CLEAN)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[items]}{task.fields[failed]} ·"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
