"""How jobs look on a terminal."""

from collections.abc import Iterator

from google.rpc import status_pb2
from rich.console import Console

from scic import errors
from scic.cli.counted import counted
from scic.cli.duration import spoken
from scic.cli.facts_table import show_facts
from scic.cli.printable import printable
from scic.cli.show_corpus import time
from scic.cli.words import word
from scic.gateway.v1 import context_service_pb2 as context
from scic.gateway.v1 import corpus_service_pb2 as corpus
from scic.gateway.v1 import job_service_pb2 as pb

LISTING_HEADER = (
    f"{'submitted':<20} {'job':<32} {'what':<9} {'state':<9} {'prio':>4} {'tries':>5} {'done':>9} {'failed':>6} reason"
)
RESULTS_HEADER = f"{'item':>5} {'outcome':<9} what"

ENDED = frozenset({pb.JOB_STATE_SUCCEEDED, pb.JOB_STATE_DEAD, pb.JOB_STATE_CANCELLED})

_NEVER = "-"


def state_word(job: pb.Job) -> str:
    """Where a job stands, in a word."""
    return word(pb.JobState.Name(job.state), "JOB_STATE_")


def items_words(job: pb.Job) -> str:
    """`200 contexts`, `1 document`."""
    kind = word(pb.JobKind.Name(job.kind), "JOB_KIND_")
    return counted(job.item_count, kind.removesuffix("s"), kind)


def is_clean(job: pb.Job) -> bool:
    """Whether all of a job came out well."""
    return job.state == pb.JOB_STATE_SUCCEEDED and not job.failed_count


def listing_line(job: pb.Job) -> str:
    """A job in a line that can be cut into columns; the reason stands last."""
    done = f"{job.done_count}/{job.item_count}"
    return (
        f"{time(job.create_time):<20} {job.job_id:<32} {word(pb.JobKind.Name(job.kind), 'JOB_KIND_'):<9} "
        f"{state_word(job):<9} {job.priority:>4} {f'{job.attempt_count}/{job.max_attempts}':>5} {done:>9} "
        f"{job.failed_count:>6} {_reason(job) or _NEVER}"
    )


def event_line(job: pb.Job) -> str:
    """Where a job stands, in a line: `running: 12 of 200 contexts, 1 failed, try 1 of 3`."""
    text = f"{state_word(job)}: {job.done_count} of {items_words(job)}"
    if job.failed_count:
        text += f", {job.failed_count} failed"
    if job.degraded_count:
        text += f", {job.degraded_count} degraded"
    if job.state not in ENDED and job.attempt_count:
        text += f", try {job.attempt_count} of {job.max_attempts}"
    if job.state == pb.JOB_STATE_QUEUED and job.HasField("retry_time"):
        text += f", the next from {time(job.retry_time)} on"
    if job.HasField("end_time"):
        taken = job.end_time.ToDatetime() - job.create_time.ToDatetime()
        text += f", after {spoken(taken.total_seconds())}"
    return f"{text} · {_reason(job)}" if _reason(job) else text


def show_job(console: Console, job: pb.Job) -> None:
    """A job, a line for each fact."""
    show_facts(console, _facts(job))


def result_line(result: pb.JobResult) -> str:
    """What came of an item, in a line."""
    outcome, what = _outcome(result)
    return f"{result.index:>5} {outcome:<9} {what}"


def missing_line(job: pb.Job, item: int | None) -> str:
    """Why a job has no results, or none of an item."""
    if item is not None and item >= job.item_count:
        return f"there is no item {item}; the job has {items_words(job)}, counted from 0"
    none = "no results" if item is None else f"no result of item {item}"
    return f"{none}{'' if job.state in ENDED else ' yet'}; the job is {event_line(job)}"


def _facts(job: pb.Job) -> Iterator[tuple[str, str]]:
    yield "job", job.job_id
    yield "request", job.request_id
    yield "what", items_words(job)
    yield "state", state_word(job)
    yield "done", f"{job.done_count} of {job.item_count}, {job.failed_count} failed"
    if _reason(job):
        yield "reason", _reason(job)
    if job.HasField("error") and (known := errors.CATALOGUE.get(errors.from_status(job.error).reason)):
        yield "remedy", known.remedy
    yield "tries", f"{job.attempt_count} of {job.max_attempts}"
    yield "priority", str(job.priority)
    yield "submitted", f"{time(job.create_time)} by {job.key_id}"
    for name, field in (
        ("started", "start_time"),
        ("next try", "retry_time"),
        ("ended", "end_time"),
        ("kept until", "expire_time"),
    ):
        if job.HasField(field):  # type: ignore[arg-type]  # one of its own, from the table above
            yield name, time(getattr(job, field))


def _reason(job: pb.Job) -> str:
    return _error(job.error) if job.HasField("error") else ""


def _error(status: status_pb2.Status) -> str:
    error = errors.from_status(status)
    return printable(f"{error.reason}: {error.message}")


def _outcome(result: pb.JobResult) -> tuple[str, str]:
    """A word, and what there is to say."""
    if result.HasField("context"):
        return _context(result.context)
    if result.HasField("document"):
        return _document(result.document)
    return "failed", _error(result.error)


def _context(built: context.BuildContextResponse) -> tuple[str, str]:
    tokens = f"{built.tokens.total} of {built.tokens.max_tokens} tokens"
    record = f", record {built.record_id}" if built.record_id else ""
    what = f"{counted(len(built.evidence), 'passage')}, {tokens}, request {printable(built.request_id)}{record}"
    return "degraded" if built.degradations else "built", what


def _document(ingested: corpus.IngestDocumentsResponse) -> tuple[str, str]:
    outcome = word(corpus.IngestDocumentsResponse.Outcome.Name(ingested.outcome), "OUTCOME_")
    if ingested.outcome == corpus.IngestDocumentsResponse.OUTCOME_FAILED:
        return outcome, f"{printable(ingested.document_id)}, {_error(ingested.error)}"
    return outcome, f"{printable(ingested.document_id)}, {counted(ingested.passage_count, 'passage')}"
