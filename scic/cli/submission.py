"""The jobs that one command puts into the queue."""

import math
import sys
import uuid
from asyncio import sleep as pause
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import grpc
import typer

from scic.cli.counted import counted
from scic.cli.duration import spoken
from scic.cli.follow_job import EXIT_LEFT, EXIT_NOT_CLEAN, Follower
from scic.cli.job_batches import request_ids
from scic.cli.json_output import one_line
from scic.cli.remedies import sentence
from scic.cli.show_jobs import items_words, state_word
from scic.errors import JOB_QUEUE_FULL, RATE_LIMITED, ScicError
from scic.gateway.v1 import job_service_pb2 as pb

_UNKNOWN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
"""With these a job may be in the queue although nobody heard of it."""


_LONGEST_PAUSE = 60.0
"""Seconds; for what is further away than that, one does not sit and wait."""

_QUEUE_PAUSE = 10.0
"""Seconds until a full queue is asked again: it cannot know when a job will be done."""


class Submission:
    """Jobs with names made of one, by which the same command goes on where it broke off."""

    def __init__(self, request_id: str, *, as_json: bool, place: str, total: int | None = None) -> None:
        """`place` stands behind the commands that are given to copy; `total` jobs are to be submitted, if known."""
        self._name = request_id or str(uuid.uuid4())
        self._as_json = as_json
        self._place = place
        self._total = total
        self.request_ids = request_ids(self._name)
        """A name for each job, the first one first."""
        self.job_ids: list[str] = []
        """What is in the queue."""
        self.complete = False
        """Nothing more is to be submitted."""

    def note(self, answer: pb.SubmitJobResponse) -> None:
        """A job is in the queue: prints it."""
        self.job_ids.append(answer.job.job_id)
        if self._as_json:
            print(one_line(answer), flush=True)
            return
        said = f"{answer.job.job_id}: {items_words(answer.job)}"
        if answer.created:
            print(f"submitted {said}", flush=True)
        else:
            print(f"not submitted again, known already: {said}, {state_word(answer.job)}", flush=True)

    async def put(self, submit: Callable[[], Awaitable[pb.SubmitJobResponse]]) -> pb.SubmitJobResponse:
        """What `submit` returns. Behind other jobs it waits for room, where the mesh has none and says for how long.

        The first job does not wait: nothing is done then, and the error says when to come again.
        """
        while True:
            try:
                return await submit()
            except ScicError as error:
                seconds = _seconds(error)
                if seconds is None or not self.job_ids:
                    raise
                said = f"waiting {spoken(math.ceil(seconds))} after {counted(len(self.job_ids), 'job')}: {error}"
                print(said, file=sys.stderr, flush=True)
                await pause(seconds)

    def tell_how_to_go_on(self) -> None:
        """Names the commands that show each job."""
        for job_id in self.job_ids:
            place = f"{job_id}{self._place}"
            print(
                f"`scic jobs watch {place}` watches it; `scic jobs results {place}` prints what comes of it",
                file=sys.stderr,
            )

    @contextmanager
    def explained(self, following: Follower) -> Iterator[None]:
        """Says how to go on where the command ends early, by Ctrl-C or an error."""
        try:
            yield
        except KeyboardInterrupt:
            typer.echo(err=True)
            self._tell(following, doubtful=True)
            raise typer.Exit(EXIT_LEFT) from None
        except ScicError as error:
            self._tell(following, doubtful=error.code in _UNKNOWN)
            if not self.job_ids:
                raise
            print(f"scic: {sentence(error)}", file=sys.stderr)
            raise typer.Exit(EXIT_NOT_CLEAN) from None
        except typer.Exit:
            self._tell(following, doubtful=False)
            if not self.job_ids:
                raise
            raise typer.Exit(EXIT_NOT_CLEAN) from None

    def _tell(self, following: Follower, *, doubtful: bool) -> None:
        if self.complete:
            following.tell()
        elif self.job_ids or doubtful:
            what = f"{self._count()} submitted" if self.job_ids else "nothing is known to be submitted"
            names = f": {', '.join(self.job_ids)}" if self.job_ids else ""
            print(f"{what}{names}; continue with --request-id {self._name}", file=sys.stderr)

    def _count(self) -> str:
        submitted = len(self.job_ids)
        return counted(submitted, "job") if self._total is None else f"{submitted} of {counted(self._total, 'job')}"


def _seconds(error: ScicError) -> float | None:
    """Seconds after which the same job may fit; None where waiting does not help, or not soon."""
    if error.reason == JOB_QUEUE_FULL.name and error.retry_after is None:
        # Its bytes are those of results, too, which stay for a day.
        return _QUEUE_PAUSE if "limit_jobs" in error.metadata else None
    if error.reason not in {RATE_LIMITED.name, JOB_QUEUE_FULL.name} or error.retry_after is None:
        return None
    return error.retry_after if error.retry_after <= _LONGEST_PAUSE else None
