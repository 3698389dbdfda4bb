"""`scic jobs show`, `list`, `dead`, `results`, `cancel`, `replay` as a person at a terminal has them."""

import json
import re
from pathlib import Path

import pytest

from scic import errors
from scic.gateway.v1 import context_service_pb2 as context
from scic.gateway.v1 import corpus_service_pb2 as corpus
from scic.gateway.v1 import job_service_pb2 as pb
from scic.type.v1 import degradation_pb2, message_pb2
from tests.unit.cli.command import Done, Run
from tests.unit.cli.job_server import Server, dead, job, moment

JOB = "a" * 32
DEAD = dead()


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
