"""Whom a job is done for: the key that submitted it, as it is now."""

from dataclasses import replace

from scic import errors
from services.gateway.admission.priority import Priority
from services.gateway.callers.principal import KeyRing, Principal, Role


def present_owner(keys: KeyRing, submitted: Principal, role: Role) -> Principal:
    """The owner of a job with what its key may do now, and nothing that it might not do at the submission.

    Nobody waits for a job by the second, so it goes behind others whatever the priority of its key. Raises
    INVALID_CREDENTIAL where the key is gone or another tenant's, ROLE_REQUIRED where it has lost the role.
    """
    now = keys.by_id(submitted.key_id)
    if now is None or now.tenant != submitted.tenant:
        raise errors.INVALID_CREDENTIAL.error("the API key that submitted the job is not known any more")
    roles = now.roles & submitted.roles
    if role not in roles:
        raise errors.ROLE_REQUIRED.error(
            f"the API key that submitted the job has not the role {role.value} any more", metadata={"role": role.value}
        )
    return replace(
        now,
        priority=Priority.BATCH,
        roles=roles,
        groups=_groups(now, submitted),
        sees_all=now.sees_all and submitted.sees_all,
        trusted=now.trusted and submitted.trusted,
    )


def _groups(now: Principal, submitted: Principal) -> frozenset[str]:
    if submitted.sees_all:
        return now.groups
    return submitted.groups if now.sees_all else now.groups & submitted.groups
