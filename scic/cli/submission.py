"""The jobs that one command puts into the queue."""

import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import typer

from scic.cli.counted import counted
from scic.cli.follow_job import EXIT_LEFT, Follower
from scic.cli.job_batches import request_ids
from scic.cli.json_output import one_line
from scic.cli.show_jobs import items_words, state_word
from scic.errors import ScicError
from scic.gateway.v1 import job_service_pb2 as pb

_UNKNOWN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
"""With these a job may be in the queue although nobody heard of it."""


class Submission:
    """Jobs with names made of one, by which the same command goes on where it broke off."""

    def __init__(self, request_id: str, *, as_json: bool) -> None:
        self._name = request_id or str(uuid.uuid4())
        self._as_json = as_json
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
        known = "" if answer.created else f", known already: {state_word(answer.job)}"
        print(f"submitted {answer.job.job_id}: {items_words(answer.job)}{known}", flush=True)

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
            raise
        except typer.Exit:
            self._tell(following, doubtful=False)
            raise

    def _tell(self, following: Follower, *, doubtful: bool) -> None:
        if self.complete:
            following.tell()
        elif self.job_ids or doubtful:
            what = (
                f"{counted(len(self.job_ids), 'job')} submitted" if self.job_ids else "nothing is known to be submitted"
            )
            names = f": {', '.join(self.job_ids)}" if self.job_ids else ""
            print(f"{what}{names}; continue with --request-id {self._name}", file=sys.stderr)
