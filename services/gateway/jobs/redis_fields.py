"""A job as fields of a hash in Redis, and back."""

import json
from collections.abc import Iterable, Mapping, Sequence

from google.rpc import status_pb2

from scic.gateway.v1 import job_service_pb2 as pb
from services.gateway.admission.priority import Priority
from services.gateway.callers.principal import Principal, Role
from services.gateway.jobs.ports import Event, StoredJob, Submission
from services.gateway.name_digest import name_digest

_FIELDS = (
    "request", "kind", "state", "priority", "attempts", "max_attempts", "items", "done", "failed", "error",
    "create", "start", "end", "retry", "expire", "owner", "degraded",
)  # fmt: skip
"""Those that a script answers with, in its order."""


def submitted_fields(submission: Submission) -> list[str | int | bytes]:
    """Names and values of what a submission says, but for what the script takes by itself."""
    return [
        *("request", submission.request_id),
        *("kind", submission.kind),
        *("max_attempts", submission.max_attempts),
        *("items", submission.item_count),
        *("owner", _dumps(submission.owner)),
        *("retention", int(submission.retention_seconds * 1000)),
        *("documents", b"".join(digests(submission.document_ids))),
        *("subjects", b"".join(digests(submission.subjects))),
    ]


def digests(names: Iterable[str]) -> list[bytes]:
    """What stands for documents or subjects, 8 bytes each."""
    return [name_digest(name) for name in names]


def stored_job(job_id: str, values: Sequence[bytes]) -> StoredJob:
    """A job from the values of `_FIELDS`."""
    fields = dict(zip(_FIELDS, values, strict=True))
    owner = _loads(fields["owner"])
    job = pb.Job(
        job_id=job_id,
        request_id=fields["request"].decode(),
        kind=pb.JobKind.ValueType(int(fields["kind"])),
        priority=int(fields["priority"]),
        max_attempts=int(fields["max_attempts"]),
        item_count=int(fields["items"]),
        key_id=owner.key_id,
    )
    job.create_time.FromMilliseconds(int(fields["create"]))
    _fill(job, fields)
    return StoredJob(job, owner)


def event(job: pb.Job, position: bytes, pairs: Sequence[bytes]) -> Event:
    """What changed, from an entry of the events' stream and the job as it is now."""
    then = pb.Job()
    then.CopyFrom(job)
    for name in ("error", "start_time", "end_time", "retry_time", "expire_time"):
        then.ClearField(name)
    names = (name.decode() for name in pairs[::2])
    _fill(then, dict(zip(names, pairs[1::2], strict=True)))
    return Event(position.decode(), then)


def _fill(job: pb.Job, fields: Mapping[str, bytes]) -> None:
    """What changes while a job lives."""
    job.state = pb.JobState.ValueType(int(fields["state"]))
    job.attempt_count = int(fields["attempts"])
    job.done_count = int(fields["done"])
    job.failed_count = int(fields["failed"])
    job.degraded_count = int(fields["degraded"])
    if fields["error"]:
        job.error.CopyFrom(status_pb2.Status.FromString(fields["error"]))
    for name, stamp in (
        ("start", job.start_time),
        ("end", job.end_time),
        ("retry", job.retry_time),
        ("expire", job.expire_time),
    ):
        if fields[name]:
            stamp.FromMilliseconds(int(fields[name]))


def _dumps(owner: Principal) -> str:
    return json.dumps(
        {
            "key": owner.key_id,
            "tenant": owner.tenant,
            "roles": sorted(role.value for role in owner.roles),
            "groups": sorted(owner.groups),
            "sees_all": owner.sees_all,
            "trusted": owner.trusted,
            "priority": owner.priority.name,
        }
    )


def _loads(text: bytes) -> Principal:
    fields = json.loads(text)
    return Principal(
        fields["key"],
        fields["tenant"],
        frozenset(Role(role) for role in fields["roles"]),
        frozenset(fields["groups"]),
        sees_all=fields["sees_all"],
        trusted=fields["trusted"],
        priority=Priority[fields["priority"]],
    )
