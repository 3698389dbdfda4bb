"""Which jobs a caller may see, and what it may do with them."""

from scic import errors
from scic.gateway.v1 import job_service_pb2 as pb
from services.gateway.callers.principal import Principal, Role
from services.gateway.jobs.ports import StoredJob

ROLE_OF: dict[pb.JobKind.ValueType, Role] = {pb.JOB_KIND_CONTEXTS: Role.READER, pb.JOB_KIND_DOCUMENTS: Role.WRITER}
"""What a key must be to have a job of a kind done."""


def is_visible(stored: StoredJob, caller: Principal) -> bool:
    """Whether a caller of the job's tenant sees no less than who submitted it did, though it be the same key."""
    return caller.sees_all or (not stored.owner.sees_all and caller.groups >= stored.owner.groups)


def check_role(caller: Principal, kind: pb.JobKind.ValueType) -> None:
    """Raises ROLE_REQUIRED where a caller may not have jobs of a kind done."""
    role = ROLE_OF[kind]
    if role not in caller.roles:
        raise errors.ROLE_REQUIRED.error(f"this job needs the role {role.value}", metadata={"role": role.value})


def not_found() -> errors.ScicError:
    """What a caller hears of a job that does not exist, is another tenant's, or may not be seen: always the same."""
    return errors.JOB_NOT_FOUND.error(
        "there is no such job", field_violations=[("job_id", "must be that of a job that the API key may see")]
    )
