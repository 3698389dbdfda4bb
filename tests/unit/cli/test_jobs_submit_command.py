"""`scic jobs submit` and `scic jobs ingest` as a person at a terminal has them, against a real server."""

import json
import math
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from scic import errors
from scic.gateway.v1 import corpus_service_pb2 as corpus
from scic.gateway.v1 import job_service_pb2 as pb
from tests.unit.cli.command import Done, Run
from tests.unit.cli.job_server import Server, event, moment

ENDED = event("3-0", "SUCCEEDED", done_count=3, failed_count=1, end_time=moment(150))
INVALID = errors.INVALID_FIELD.error(
    "the request breaks rules",
    field_violations=[("contexts.requests[1].question", "must not be empty or only white space")],
)


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
