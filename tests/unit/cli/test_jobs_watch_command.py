"""`scic jobs watch` as a person at a terminal has it, against a real server."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scic import errors
from scic.gateway.v1 import job_service_pb2 as pb
from tests.unit.cli.command import Done, Run
from tests.unit.cli.job_server import Server, dead, event, moment

JOB = "a" * 32
ENDED = event("3-0", "SUCCEEDED", done_count=3, failed_count=1, end_time=moment(150))


@pytest.mark.parametrize(
    ("streams", "options", "code", "lines"),
    [
        pytest.param(
            [[event("1-0", "QUEUED", attempt_count=0), event("2-0", "SUCCEEDED", done_count=3, end_time=moment(5))]],
            (),
            0,
            [f"{JOB} queued: 0 of 3 contexts", f"{JOB} succeeded: 3 of 3 contexts, after 5 s"],
            id="all well",
        ),
        pytest.param(
            [[event("1-0"), errors.QUEUE_UNAVAILABLE.error("away")], [ENDED]],
            (),
            1,
            [
                f"{JOB} running: 0 of 3 contexts, try 1 of 3",
                f"{JOB} succeeded: 3 of 3 contexts, 1 failed, after 2 min",
            ],
            id="a stream that breaks off, and an item that failed",
        ),
        pytest.param(
            [[event("9-0", "QUEUED", retry_time=moment(60)), event("10-0", "CANCELLED")]],
            ("--from", "8-0"),
            1,
            [
                f"{JOB} queued: 0 of 3 contexts, try 1 of 3, the next from 2026-03-01T12:01:00Z on",
                f"{JOB} cancelled: 0 of 3 contexts",
            ],
            id="cancelled, from a position",
        ),
    ],
)
def test_watching(
    server: Server, scic: Run, streams: list[Any], options: tuple[str, ...], code: int, lines: list[str]
) -> None:
    server.streams = streams
    assert scic("jobs", "watch", JOB, *options) == Done(code, "".join(f"{line}\n" for line in lines), "")
    assert server.seen[0].position == (options[1] if options else "")


def test_watching_as_json_gives_positions(server: Server, scic: Run) -> None:
    server.streams = [[event("1-0"), ENDED]]
    done = scic("jobs", "watch", JOB, "--json")
    assert [json.loads(line)["position"] for line in done.out.splitlines()] == ["1-0", "3-0"]


def test_watching_what_ended_before_the_position_ends_as_it_did(server: Server, scic: Run) -> None:
    server.jobs, server.streams = [dead(JOB)], [[]]
    assert scic("jobs", "watch", JOB, "--from", "9-0").code == 1


@pytest.mark.parametrize(("stream", "since"), [([event("hang")], " --from hang"), ([], "")], ids=["begun", "silent"])
def test_who_goes_away_leaves_the_job_running_and_hears_how_to_go_on(
    server: Server, stream: list[Any], since: str
) -> None:
    server.streams = [stream] if stream else []
    command = ("-m", "scic.cli", "jobs", "watch", JOB, "--address", server.address, "--api-key", "k")
    with subprocess.Popen(
        [sys.executable, "-u", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as watcher:
        try:
            assert watcher.stdout
            if stream:
                assert watcher.stdout.readline().startswith(f"{JOB} running")
            else:
                server.asked.wait(60)
            watcher.send_signal(signal.SIGINT)
            _, told = watcher.communicate(timeout=60)
        finally:
            watcher.kill()
    assert watcher.returncode == 130
    again = f"scic jobs watch {JOB}{since} --address {server.address}"
    assert told == f"\nthe job goes on; `{again}` watches it again from here\n"
    assert not any(isinstance(request, pb.CancelJobRequest) for request in server.seen)


def leaving(server: Server, *arguments: str) -> tuple[int, str]:
    """Exit code and standard error of a command that gets Ctrl-C as soon as the server hangs."""
    command = (sys.executable, "-m", "scic.cli", *arguments, "--address", server.address, "--api-key", "k")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert server.hanging.wait(60)
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=60)
        finally:
            process.kill()
    return process.returncode, told


@pytest.mark.parametrize(
    ("failures", "told"),
    [
        pytest.param(["hang"], "nothing is known to be submitted", id="the first job"),
        pytest.param([None, "hang"], "1 of 2 jobs submitted: job1", id="the second job"),
    ],
)
def test_who_goes_away_while_jobs_are_submitted_hears_what_is_in_the_queue(
    server: Server, tmp_path: Path, failures: list[Any], told: str
) -> None:
    (tmp_path / "q").write_text("Why?\n" * 1003, encoding="utf-8")
    server.failures = failures
    left = leaving(server, "jobs", "submit", str(tmp_path / "q"), "--questions", "--request-id", "n", "--watch")
    assert left == (130, f"\n{told}; continue with --request-id n\n")


def test_who_goes_away_hears_of_jobs_that_were_not_watched_yet(server: Server, tmp_path: Path) -> None:
    (tmp_path / "q").write_text("Why?\n" * 3001, encoding="utf-8")
    server.streams = [[ENDED]]
    code, told = leaving(server, "jobs", "submit", str(tmp_path / "q"), "--questions", "--watch")
    assert code == 130
    assert told.splitlines() == [
        "",
        f"the job goes on; `scic jobs watch job2 --address {server.address}` watches it again from here",
        "not watched yet: job3, job4",
    ]


def test_on_a_terminal_a_line_moves_and_the_end_stays(server: Server) -> None:
    server.streams = [[event("1-0", done_count=1), ENDED]]
    command = [sys.executable, "-m", "scic.cli", "jobs", "watch", JOB, "--address", server.address, "--api-key", "k"]
    leader, follower = os.openpty()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=follower, text=True) as watcher:
        out, _ = watcher.communicate(timeout=60)
    os.close(follower)
    assert out == f"{JOB} succeeded: 3 of 3 contexts, 1 failed, after 2 min\n"
    assert JOB.encode() in os.read(leader, 1 << 16)
    os.close(leader)
    assert watcher.returncode == 1
