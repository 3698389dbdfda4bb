"""`scic jobs` as a person at a terminal has it, against a real server."""

import json
import math
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scic import errors
from scic.gateway.v1 import context_service_pb2 as context
from scic.gateway.v1 import corpus_service_pb2 as corpus
from scic.gateway.v1 import job_service_pb2 as pb
from scic.type.v1 import degradation_pb2, message_pb2
from tests.unit.cli.command import Done, Run, runner
from tests.unit.cli.job_server import Server, dead, event, job, moment, served

JOB = "a" * 32
DEAD = dead()
ENDED = event("3-0", "SUCCEEDED", done_count=3, failed_count=1, end_time=moment(150))

INVALID = errors.INVALID_FIELD.error(
    "the request breaks rules",
    field_violations=[("contexts.requests[1].question", "must not be empty or only white space")],
)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr("scic.client.job_methods.PAUSES", (0.0,))
    with served() as server:
        yield server


@pytest.fixture
def scic(server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `scic`."""
    return runner(server.address, monkeypatch, capsys)


def submissions(server: Server) -> list[pb.SubmitJobRequest]:
    return [request for request in server.seen if isinstance(request, pb.SubmitJobRequest)]


def test_questions_are_submitted_and_watched(server: Server, scic: Run, tmp_path: Path) -> None:
    (tmp_path / "questions.txt").write_text("Why?\n\n  How? \n", encoding="utf-8")
    server.streams = [[event("1-0"), ENDED]]
    terms = ("--priority", "5", "--attempts", "1", "--retention", "2h", "--request-id", "night-1")
    done = scic("jobs", "submit", str(tmp_path / "questions.txt"), "--questions", "-n", "700", *terms, "--watch")
    (request,) = submissions(server)
    assert [(one.question, one.max_tokens) for one in request.contexts.requests] == [("Why?", 700), ("How?", 700)]
    assert (request.request_id, request.priority, request.max_attempts) == ("night-1", 5, 1)
    assert request.retention.seconds == 7200
    assert done == Done(
        1,
        "submitted job1: 2 contexts\n"
        "job1 running: 0 of 3 contexts, try 1 of 3\n"
        "job1 succeeded: 3 of 3 contexts, 1 failed, after 2 min\n",
        "",
    )


def test_without_watching_it_is_said_how_to_go_on(server: Server, scic: Run, tmp_path: Path) -> None:
    (tmp_path / "batch.jsonl").write_text('{"question": "Why?", "profile": "support"}\n', encoding="utf-8")
    server.known = {"night-1"}
    done = scic("jobs", "submit", str(tmp_path / "batch.jsonl"), "--request-id", "night-1")
    assert (done.code, done.out) == (0, "not submitted again, known already: job1: 1 context, queued\n")
    place = f"job1 --address {server.address}"
    assert done.err == f"`scic jobs watch {place}` watches it; `scic jobs results {place}` prints what comes of it\n"
    assert submissions(server)[0].contexts.requests[0].max_tokens == 0, "the profile's"


def test_more_than_a_job_may_have_becomes_several(server: Server, scic: Run, tmp_path: Path) -> None:
    (tmp_path / "q").write_text("".join(f"question {number}\n" for number in range(2001)), encoding="utf-8")
    done = scic("jobs", "submit", str(tmp_path / "q"), "--questions", "--request-id", "n", "--json")
    assert [(one.request_id, len(one.contexts.requests)) for one in submissions(server)] == [
        ("n", 1000),
        ("n.2", 1000),
        ("n.3", 1),
    ]
    assert [json.loads(line)["job"]["job_id"] for line in done.out.splitlines()] == ["job1", "job2", "job3"]
    assert done.err == ""


def test_a_line_that_is_refused_in_a_later_job_is_named_all_the_same(server: Server, scic: Run, tmp_path: Path) -> None:
    (tmp_path / "q").write_text("Why?\n" * 1003, encoding="utf-8")
    server.failures = [None, INVALID]
    done = scic("jobs", "submit", str(tmp_path / "q"), "--questions", "--request-id", "night-1")
    assert done == Done(
        1,
        "submitted job1: 1000 contexts\n",
        f"scic: {tmp_path / 'q'}: line 1002: question: must not be empty or only white space\n"
        "1 of 2 jobs submitted: job1; continue with --request-id night-1\n",
    )


def test_what_broke_off_goes_on_by_the_name_that_is_printed(server: Server, scic: Run, tmp_path: Path) -> None:
    (tmp_path / "q").write_text("Why?\n" * 1003, encoding="utf-8")
    command = ("jobs", "submit", str(tmp_path / "q"), "--questions")
    server.failures = [None, errors.QUEUE_UNAVAILABLE.error("away"), errors.QUEUE_UNAVAILABLE.error("away")]
    broken = scic(*command)
    told = re.fullmatch(
        r"1 of 2 jobs submitted: job1; continue with --request-id (\S+)\nscic: away; try again; .*\n", broken.err
    )
    assert told, broken.err
    assert broken.code == 1, "2 is for what did nothing"
    assert [one.request_id for one in submissions(server)] == [told[1], *[f"{told[1]}.2"] * 2]
    server.seen.clear()
    assert scic(*command, "--request-id", told[1]).code == 0
    assert [one.request_id for one in submissions(server)] == [told[1], f"{told[1]}.2"]


def test_a_job_that_may_be_in_the_queue_is_named(server: Server, scic: Run, tmp_path: Path) -> None:
    (tmp_path / "q").write_text("Why?\n", encoding="utf-8")
    server.failures = [errors.QUEUE_UNAVAILABLE.error("away")] * 2
    done = scic("jobs", "submit", str(tmp_path / "q"), "--questions", "--request-id", "n")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("nothing is known to be submitted; continue with --request-id n\nscic: away; ")


def test_files_that_cannot_be_sent_are_named_where_the_mesh_refuses_the_others(
    server: Server, scic: Run, tmp_path: Path
) -> None:
    (tmp_path / "a.md").write_text("x\n", encoding="utf-8")
    (tmp_path / "empty.md").touch()
    server.failures = [errors.ROLE_REQUIRED.error("the key lacks the role writer")]
    done = scic("jobs", "ingest", str(tmp_path / "a.md"), str(tmp_path / "empty.md"))
    assert done == Done(2, "", f"failed {tmp_path}/empty.md: empty\nscic: the key lacks the role writer\n")


def test_requests_come_from_standard_input(
    server: Server, scic: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "in").write_bytes(b'{"question": "Why?", "max_tokens": 300}\n')
    with (tmp_path / "in").open(encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        assert scic("jobs", "submit", "-").code == 0
    assert submissions(server)[0].contexts.requests[0].max_tokens == 300


@pytest.mark.parametrize(
    ("text", "options", "failures", "sentence"),
    [
        pytest.param(
            '{"question": "a"}\n\n{"qestion": "b"}\nWhy?\n',
            (),
            [],
            "scic: q.jsonl: line 3: qestion: is not known; did you mean question?\n"
            'scic: q.jsonl: line 4: must be a request in JSON, such as {"question": "Why?"}; '
            "of plain questions, one a line, say --questions\n",
            id="lines that cannot be read",
        ),
        pytest.param(
            '{"question": "a"}\n\n{"question": " "}\n',
            (),
            [INVALID],
            "scic: q.jsonl: line 3: question: must not be empty or only white space\n",
            id="a line that the server refuses",
        ),
        pytest.param("\n", (), [], r"Usage: .*FILE: q\.jsonl holds no request\n", id="nothing"),
        pytest.param("a\n", ("--retention", "soon"), [], r".*--retention: 'soon' must be a number .*\n", id="time"),
        pytest.param(
            '{"question": "a"}\n',
            (),
            [errors.RATE_LIMITED.error("too many requests of this window", retry_after=7.2)],
            "scic: too many requests of this window; try again in 8 s\n",
            id="too fast",
        ),
        pytest.param(
            '{"question": "a"}\n',
            (),
            [errors.QUEUE_NOT_CONFIGURED.error("the server keeps no jobs")],
            "scic: the server keeps no jobs; an operator sets SCIC_GATEWAY_REDIS_URL\n",
            id="no queue",
        ),
    ],
)
def test_a_batch_that_cannot_go_in_says_where_and_why(
    server: Server,
    scic: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    options: tuple[str, ...],
    failures: list[Any],
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("q.jsonl").write_text(text, encoding="utf-8")
    server.failures = failures
    done = scic("jobs", "submit", "q.jsonl", *options)
    assert (done.code, done.out) == (2, "")
    assert done.err == sentence or re.fullmatch(sentence, done.err, re.DOTALL), done.err


def test_files_are_ingested_in_the_background(
    server: Server, scic: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.md", "b.py"):
        Path(name).write_text("x = 1\n", encoding="utf-8")
    Path("empty.md").touch()  # in a folder it would be passed by
    done = scic("jobs", "ingest", "empty.md", ".", "--source", "docs", "--acl", "staff", "--request-id", "docs-1")
    (request,) = submissions(server)
    assert [(one.document_id, one.source, list(one.acl_groups)) for one in request.documents.documents] == [
        ("a.md", "docs", ["staff"]),
        ("b.py", "docs", ["staff"]),
    ]
    assert (done.code, done.out) == (1, "submitted job1: 2 documents\n2 submitted, 1 failed, 1 left out\n")
    assert re.match(r"failed \S*/empty\.md: empty\n`scic jobs watch job1 --address \S+` watches it; ", done.err)


def test_large_files_get_jobs_of_their_own_and_one_too_large_is_named(
    server: Server, scic: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, size in (("a.md", 3 << 20), ("b.md", 4 << 20), ("c.md", 10)):
        Path(name).write_bytes(b"x" * size)
    server.failures = [errors.REQUEST_TOO_LARGE.error("the job has 3 MiB; at most 1 are taken")]
    done = scic("jobs", "ingest", ".", "--request-id", "n")
    sent = [
        (one.request_id, [document.document_id for document in one.documents.documents]) for one in submissions(server)
    ]
    assert sent == [("n", ["a.md"]), ("n.2", ["b.md"]), ("n.3", ["c.md"])]
    assert done.code == 1
    assert "failed a.md: the job has 3 MiB; at most 1 are taken; `scic ingest` takes it\n" in done.err


def test_a_folder_without_files_submits_nothing(scic: Run, tmp_path: Path) -> None:
    assert scic("jobs", "ingest", str(tmp_path)) == Done(
        0, "0 submitted, 0 failed, 0 left out\n", "nothing was submitted\n"
    )


def test_documents_that_failed_are_named_at_the_end_of_the_watch(
    server: Server, scic: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.md", "b.md", "c.md"):
        Path(name).write_text("x\n", encoding="utf-8")
    refused = errors.to_status(errors.EMPTY_DOCUMENT.error("it is empty"))
    server.streams = [[ENDED]]
    server.results = [
        pb.JobResult(index=0, document=corpus.IngestDocumentsResponse(document_id="a.md")),
        pb.JobResult(index=1, document=corpus.IngestDocumentsResponse(document_id="b.md", error=refused)),
        pb.JobResult(index=2, error=errors.to_status(errors.RESULT_ERASED.error("it was deleted"))),
    ]
    done = scic("jobs", "ingest", ".", "--watch")
    assert done.code == 1
    assert done.err == "failed b.md: it is empty (EMPTY_DOCUMENT)\nfailed c.md: it was deleted (RESULT_ERASED)\n"


@pytest.mark.parametrize(
    ("refusal", "seconds"),
    [
        pytest.param(errors.RATE_LIMITED.error("too many", retry_after=7.2), 7.2, id="a limit that says when"),
        pytest.param(errors.JOB_QUEUE_FULL.error("too many", metadata={"limit_jobs": "9"}), 10.0, id="a full queue"),
    ],
)
def test_further_jobs_wait_for_room(
    server: Server,
    scic: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    refusal: errors.ScicError,
    seconds: float,
) -> None:
    waited: list[float] = []

    async def wait(pause: float) -> None:
        waited.append(pause)

    monkeypatch.setattr("scic.cli.submission.pause", wait)
    (tmp_path / "q").write_text("Why?\n" * 1003, encoding="utf-8")
    server.failures = [None, refusal, refusal]
    done = scic("jobs", "submit", str(tmp_path / "q"), "--questions", "--request-id", "n", "--json")
    assert (done.code, waited) == (0, [seconds] * 2)
    assert done.err == f"waiting {math.ceil(seconds)} s after 1 job: too many\n" * 2
    assert [one.request_id for one in submissions(server)] == ["n", "n.2", "n.2", "n.2"]


@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param(errors.RATE_LIMITED.error("too many", retry_after=61), id="not soon"),
        pytest.param(errors.RATE_LIMITED.error("too many"), id="never"),
        pytest.param(errors.JOB_QUEUE_FULL.error("full", metadata={"limit_bytes": "9"}), id="bytes that stay"),
    ],
)
def test_nobody_waits_for_what_does_not_come_soon(
    server: Server, scic: Run, tmp_path: Path, refusal: errors.ScicError
) -> None:
    (tmp_path / "q").write_text("Why?\n" * 1003, encoding="utf-8")
    server.failures = [None, refusal]
    done = scic("jobs", "submit", str(tmp_path / "q"), "--questions", "--request-id", "n")
    assert done.code == 1
    assert done.err.startswith("1 of 2 jobs submitted: job1; continue with --request-id n\nscic: ")


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


def test_a_job_is_shown_with_all_that_is_known(server: Server, scic: Run) -> None:
    server.jobs = [DEAD]
    assert [line.rstrip().split(maxsplit=1) for line in scic("jobs", "show", DEAD.job_id).out.splitlines()] == [
        ["job", DEAD.job_id],
        ["request", "night-1"],
        ["what", "3 contexts"],
        ["state", "dead"],
        ["done", "1 of 3, 0 failed"],
        ["reason", "JOB_ABANDONED: every attempt ended with its worker"],
        ["remedy", errors.JOB_ABANDONED.remedy],
        ["tries", "3 of 3"],
        ["priority", "3"],
        ["submitted", "2026-03-01T12:00:00Z by tests"],
        ["ended", "2026-03-01T12:01:30Z"],
    ]
    assert json.loads(scic("jobs", "show", DEAD.job_id, "--json").out)["state"] == "JOB_STATE_DEAD"


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        pytest.param(("list",), [JOB, DEAD.job_id, "b" * 32], id="all"),
        pytest.param(("list", "--limit", "2"), [JOB, DEAD.job_id], id="some"),
        pytest.param(("list", "--state", "succeeded"), ["b" * 32], id="one state"),
        pytest.param(("dead",), [DEAD.job_id], id="dead ones"),
    ],
)
def test_jobs_are_listed(server: Server, scic: Run, arguments: tuple[str, ...], names: list[str]) -> None:
    server.jobs = [job(), DEAD, job("b" * 32, "SUCCEEDED")]
    header, *lines = scic("jobs", *arguments).out.splitlines()
    assert header.split()[:3] == ["submitted", "job", "what"]
    assert [line.split()[1] for line in lines] == names
    listed = scic("jobs", *arguments, "--json").out.splitlines()
    assert [json.loads(line)["job_id"] for line in listed] == names


def test_dead_jobs_say_why(server: Server, scic: Run) -> None:
    server.jobs = [DEAD]
    _, line = scic("jobs", "dead").out.splitlines()
    assert line.split(maxsplit=8)[2:] == [
        "contexts", "dead", "3", "3/3", "1/3", "0", "JOB_ABANDONED: every attempt ended with its worker",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("list",), "no jobs"),
        (("list", "--state", "queued"), "no queued jobs"),
        (("dead",), "no dead jobs"),
        (("replay", "--all-dead"), "no dead jobs"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_nothing_is_said_beside_the_output(scic: Run, arguments: tuple[str, ...], sentence: str) -> None:
    assert scic("jobs", *arguments) == Done(0, "", f"{sentence}\n")


@pytest.mark.parametrize(
    ("found", "options", "sentence"),
    [
        pytest.param(job(), (), "no results yet; the job is running: 0 of 3 contexts, try 1 of 3\n", id="not yet"),
        pytest.param(
            job(state="CANCELLED", end_time=moment(30)),
            (),
            "no results; the job is cancelled: 0 of 3 contexts, after 30 s\n",
            id="ended with none",
        ),
        pytest.param(
            job(),
            ("--item", "2"),
            "no result of item 2 yet; the job is running: 0 of 3 contexts, try 1 of 3\n",
            id="item",
        ),
        pytest.param(
            job(), ("--item", "3"), "there is no item 3; the job has 3 contexts, counted from 0\n", id="no such item"
        ),
    ],
)
def test_a_result_that_is_missing_is_explained(
    server: Server, scic: Run, found: pb.Job, options: tuple[str, ...], sentence: str
) -> None:
    server.jobs = [found]
    assert scic("jobs", "results", JOB, *options) == Done(1, "", sentence)


BUILT = context.BuildContextResponse(
    request_id="night-1:0",
    record_id="01kb",
    messages=[message_pb2.Message(role=message_pb2.ROLE_USER, content="Why?")],
    evidence=[context.Evidence(citation=1, passage_id="a.md#0", fate=context.Evidence.FATE_WHOLE)],
    tokens=context.TokenUsage(total=90, max_tokens=100),
)
RESULTS = [
    pb.JobResult(index=0, context=BUILT),
    pb.JobResult(index=1, context=context.BuildContextResponse(degradations=[degradation_pb2.Degradation()])),
    pb.JobResult(
        index=2,
        document=corpus.IngestDocumentsResponse(
            document_id="a\x1b.md", outcome=corpus.IngestDocumentsResponse.OUTCOME_INDEXED, passage_count=12
        ),
    ),
    pb.JobResult(
        index=3,
        document=corpus.IngestDocumentsResponse(
            document_id="b.md",
            outcome=corpus.IngestDocumentsResponse.OUTCOME_FAILED,
            error=errors.to_status(errors.EMPTY_DOCUMENT.error("it is empty")),
        ),
    ),
    pb.JobResult(index=4, error=errors.to_status(errors.RESULT_ERASED.error("a document was deleted"))),
]


def test_results_are_a_line_each(server: Server, scic: Run) -> None:
    server.results = RESULTS
    assert scic("jobs", "results", JOB).out == (
        " item outcome   what\n"
        "    0 built     1 passage, 90 of 100 tokens, request night-1:0, record 01kb\n"
        "    1 degraded  0 passages, 0 of 0 tokens, request \n"
        "    2 indexed   a\ufffd.md, 12 passages\n"
        "    3 failed    b.md, EMPTY_DOCUMENT: it is empty\n"
        "    4 failed    RESULT_ERASED: a document was deleted\n"
    )
    lines = scic("jobs", "results", JOB, "--json").out.splitlines()
    assert [json.loads(line)["index"] for line in lines] == [0, 1, 2, 3, 4]


def test_one_result_is_shown_whole(server: Server, scic: Run) -> None:
    server.results = RESULTS
    assert re.search(r"^user ─+\nWhy\?\n", scic("jobs", "results", JOB, "--item", "0").out)
    _, line = scic("jobs", "results", JOB, "--item", "4").out.splitlines()
    assert line.startswith("    4 failed")


def test_a_job_is_cancelled(server: Server, scic: Run) -> None:
    server.jobs = [job()]
    assert scic("jobs", "cancel", JOB).out == f"{JOB} cancelled: 1 of 3 contexts, after 30 s\n"
    assert json.loads(scic("jobs", "cancel", JOB, "--json").out)["done_count"] == 1


def test_a_job_is_replayed(server: Server, scic: Run) -> None:
    server.jobs = [DEAD]
    assert scic("jobs", "replay", DEAD.job_id).out == f"{DEAD.job_id} queued: 1 of 3 contexts\n"


def test_all_dead_jobs_are_replayed_and_those_that_cannot_be_are_named(server: Server, scic: Run) -> None:
    server.jobs = [dead("x"), dead("y"), job(), dead("z")]
    server.not_replayable = {"y"}
    assert scic("jobs", "replay", "--all-dead") == Done(
        1, "x queued: 1 of 3 contexts\nz queued: 1 of 3 contexts\n", "y not replayed: what it was to do was erased\n"
    )


@pytest.mark.parametrize(
    ("arguments", "refusal", "remedy"),
    [
        pytest.param(("cancel", JOB), errors.JOB_FINISHED, "`scic jobs results` prints what came of it", id="ended"),
        pytest.param(("replay", JOB), errors.JOB_NOT_REPLAYABLE, "submit a new one", id="not replayable"),
        pytest.param(("watch", JOB, "--from", "1-0"), errors.POSITION_GONE, "leave out --from", id="position"),
        pytest.param(("ingest", "a.md"), errors.JOB_QUEUE_FULL, "try again when some are done; .*", id="full"),
        pytest.param(
            ("ingest", "a.md", "--request-id", "n"),
            errors.REQUEST_ID_REUSED,
            "give another --request-id, .*",
            id="name",
        ),
    ],
)
def test_a_refusal_says_what_to_do(
    server: Server,
    scic: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    refusal: errors.Reason,
    remedy: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.md").write_text("x", encoding="utf-8")
    server.failures = [refusal.error("it cannot be")]
    assert re.fullmatch(f"scic: it cannot be; {remedy}\n", scic("jobs", *arguments).err)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(
            ("show", "x"),
            "scic: there is no such job; `scic jobs list` shows those that the key may see\n",
            id="no such job",
        ),
        pytest.param(
            ("watch", "x", "--from", "3"), r".*--from: '3' is no position; one looks like 1764194023000-0, .*\n", id="3"
        ),
        pytest.param(
            ("ingest", ".", "--request-id", "a b"),
            r".*--request-id: 'a b' is not letters, digits and \. _ : -, at most 64\n",
            id="name",
        ),
        pytest.param(("replay",), r".*replay: give one of JOB and --all-dead\n", id="replay nothing"),
        pytest.param(("replay", "x", "--all-dead"), r".*replay: give one of JOB and --all-dead\n", id="replay both"),
        pytest.param(("submit", "nowhere"), r".*FILE: nowhere: no such file or directory\n", id="no such file"),
        pytest.param(("list", "--state", "lost"), r".*'lost' is not one of .*\n", id="no such state"),
    ],
)
def test_mistakes_are_a_sentence(scic: Run, arguments: tuple[str, ...], sentence: str) -> None:
    done = scic("jobs", *arguments)
    assert (done.code, done.out) == (2, "")
    assert re.fullmatch(sentence, done.err, re.DOTALL), done.err
