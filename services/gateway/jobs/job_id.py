"""Names of jobs and of their items, and what makes two submissions the same."""

import hashlib
import re
from base64 import b32encode

from scic.gateway.v1 import job_service_pb2 as pb

_BYTES = 20
_FORM = re.compile(r"[a-z2-7]{32}")
_NO_JOB = "2" * 32
_REQUEST_ID_CHARACTERS = 64


def job_id(tenant: str, request_id: str) -> str:
    """The name of a job: 32 letters and digits of SHA-256. Who knows it knows neither tenant nor request."""
    # A tenant's name has no line end, so no two pairs read alike.
    digest = hashlib.sha256(f"{tenant}\n{request_id}".encode()).digest()
    return b32encode(digest[:_BYTES]).decode().lower()


def looked_for(name: str) -> str:
    """The name under which the queue is asked: whatever a caller writes that is no job's name is that of none."""
    return name if _FORM.fullmatch(name) else _NO_JOB


def content_digest(
    kind: pb.JobKind.ValueType,
    payload: bytes,
    *,
    key_id: str,
    priority: int,
    max_attempts: int,
    retention_seconds: float,
) -> str:
    """Of who asked, and of everything that was asked for but the request's id, in hexadecimal digits."""
    head = f"{key_id} {kind} {priority} {max_attempts} {retention_seconds!r}\n"
    return hashlib.sha256(head.encode() + payload).hexdigest()


def item_request_id(job: pb.Job, index: int) -> str:
    """The request's id of an item that names none: `JOB'S REQUEST:INDEX`, by which the ledger finds its record."""
    name = f"{job.request_id}:{index}"
    return name if len(name) <= _REQUEST_ID_CHARACTERS else f"{job.job_id}:{index}"
