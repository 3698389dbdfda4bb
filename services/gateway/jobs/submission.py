"""What a caller asks for, as the queue takes it."""

from scic import errors
from scic.gateway.v1 import job_service_pb2 as pb
from services.gateway.callers.principal import Principal
from services.gateway.jobs.job_id import content_digest, job_id
from services.gateway.jobs.ports import Submission
from services.gateway.jobs.visibility import check_role

_PRIORITY = 3
_ATTEMPTS = 3
_RETENTION_SECONDS = 86_400.0

_KINDS: dict[str, pb.JobKind.ValueType] = {"contexts": pb.JOB_KIND_CONTEXTS, "documents": pb.JOB_KIND_DOCUMENTS}


def submission_of(owner: Principal, request: pb.SubmitJobRequest, *, max_bytes: int) -> Submission:
    """The job, its defaults written out. Raises ROLE_REQUIRED and REQUEST_TOO_LARGE; `request_id` must be set."""
    field = request.WhichOneof("work")
    assert field is not None, "the rules of the proto demand one"
    kind = _KINDS[field]
    check_role(owner, kind)
    work: pb.ContextBatch | pb.DocumentBatch = getattr(request, field)
    if (size := work.ByteSize()) > max_bytes:
        raise errors.REQUEST_TOO_LARGE.error(
            f"the job has {size} bytes; at most {max_bytes} are taken",
            metadata={"limit_bytes": str(max_bytes)},
            field_violations=[(field, f"must have at most {max_bytes} bytes; submit it in several jobs")],
        )
    payload = work.SerializeToString(deterministic=True)
    priority, attempts = request.priority or _PRIORITY, request.max_attempts or _ATTEMPTS
    retention = request.retention.ToTimedelta().total_seconds() if request.HasField("retention") else _RETENTION_SECONDS
    return Submission(
        job_id=job_id(owner.tenant, request.request_id),
        request_id=request.request_id,
        owner=owner,
        kind=kind,
        payload=payload,
        digest=content_digest(
            kind,
            payload,
            key_id=owner.key_id,
            priority=priority,
            max_attempts=attempts,
            retention_seconds=retention,
        ),
        item_count=len(request.contexts.requests) or len(request.documents.documents),
        priority=priority,
        max_attempts=attempts,
        retention_seconds=retention,
        document_ids=sorted({document.document_id for document in request.documents.documents}),
        subjects=sorted({subject for document in request.documents.documents for subject in document.subjects}),
    )
