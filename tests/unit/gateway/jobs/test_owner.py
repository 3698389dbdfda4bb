"""Whom a job is done for: never somebody who sees or may do more than its key did, or does now."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scic import ScicError
from services.gateway.admission.priority import Priority
from services.gateway.callers.principal import KeyRing, Principal, Role
from services.gateway.jobs.owner import present_owner

groups = st.frozensets(st.sampled_from(["hr", "sales", "it"]))


@st.composite
def principals(draw: st.DrawFn) -> Principal:
    sees_all = draw(st.booleans())
    return Principal(
        "anna",
        "acme",
        draw(st.frozensets(st.sampled_from([Role.WRITER, Role.ADMIN]))) | {Role.READER},
        frozenset() if sees_all else draw(groups),
        sees_all=sees_all,
        trusted=draw(st.booleans()),
        priority=draw(st.sampled_from(Priority)),
    )


def sees(principal: Principal, group: str) -> bool:
    return principal.sees_all or group in principal.groups


@given(now=principals(), then=principals())
def test_it_is_the_key_as_it_is_now_narrowed_to_what_it_was(now: Principal, then: Principal) -> None:
    owner = present_owner(KeyRing({b"k": now}), then, Role.READER)
    for group in ("hr", "sales", "it"):
        assert sees(owner, group) == (sees(now, group) and sees(then, group))
    assert owner.sees_all == (now.sees_all and then.sees_all)
    assert owner.priority is Priority.BATCH
    assert owner.trusted == (now.trusted and then.trusted)
    assert owner.roles == now.roles & then.roles
    assert (owner.key_id, owner.tenant) == ("anna", "acme")


READER = frozenset({Role.READER})
ANNA = Principal("anna", "acme", READER | {Role.WRITER})


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        pytest.param(None, "INVALID_CREDENTIAL", id="gone"),
        pytest.param(Principal("anna", "other", ANNA.roles), "INVALID_CREDENTIAL", id="of another tenant"),
        pytest.param(Principal("anna", "acme", READER), "ROLE_REQUIRED", id="without the role"),
    ],
)
def test_a_key_that_may_not_do_the_job_any_more_is_refused(now: Principal | None, reason: str) -> None:
    keys = KeyRing({} if now is None else {b"k": now})
    with pytest.raises(ScicError) as caught:
        present_owner(keys, ANNA, Role.WRITER)
    assert caught.value.reason == reason


def test_a_role_that_the_key_got_later_does_not_count() -> None:
    with pytest.raises(ScicError) as caught:
        present_owner(KeyRing({b"k": ANNA}), Principal("anna", "acme", READER), Role.WRITER)
    assert (caught.value.reason, caught.value.metadata["role"]) == ("ROLE_REQUIRED", "writer")
