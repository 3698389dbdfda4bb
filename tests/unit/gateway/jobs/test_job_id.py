"""Names of jobs: the same request is the same job, another is another, and nothing of either shows."""

import re
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from scic.gateway.v1 import job_service_pb2 as pb
from services.gateway.jobs.job_id import content_digest, item_request_id, job_id, looked_for

tenants = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,62}", fullmatch=True)
request_ids = st.from_regex(r"[A-Za-z0-9._:-]{1,64}", fullmatch=True)
REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")


@given(tenants, request_ids)
def test_a_name_fits_the_api_and_is_always_the_same(tenant: str, request_id: str) -> None:
    name = job_id(tenant, request_id)
    assert name == job_id(tenant, request_id)
    assert re.fullmatch(r"[a-z2-7]{32}", name)
    assert looked_for(name) == name


@given(tenants, request_ids, tenants, request_ids)
def test_no_two_requests_share_one(tenant: str, request_id: str, other: str, other_id: str) -> None:
    assume((tenant, request_id) != (other, other_id))
    assert job_id(tenant, request_id) != job_id(other, other_id)


@given(st.text(min_size=1, max_size=64))
def test_whatever_else_a_caller_writes_is_looked_for_under_the_name_of_no_job(name: str) -> None:
    assume(not re.fullmatch(r"[a-z2-7]{32}", name))
    assert re.fullmatch(r"2{32}", looked_for(name))


contents = st.fixed_dictionaries(
    {
        "kind": st.sampled_from([pb.JOB_KIND_CONTEXTS, pb.JOB_KIND_DOCUMENTS]),
        "payload": st.binary(max_size=20),
        "key_id": st.sampled_from(["anna", "ben"]),
        "priority": st.integers(1, 5),
        "max_attempts": st.integers(1, 10),
        "retention_seconds": st.floats(60, 604_800),
    }
)


@given(contents, contents)
def test_a_digest_is_the_same_for_the_same_content_and_for_no_other(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert (content_digest(**one) == content_digest(**other)) == (one == other)


@given(request_ids, st.integers(0, 999))
def test_an_item_is_named_so_that_stages_and_ledger_take_it(request_id: str, index: int) -> None:
    job = pb.Job(request_id=request_id, job_id=job_id("acme", request_id))
    name = item_request_id(job, index)
    assert REQUEST_ID.fullmatch(name)
    assert name.endswith(f":{index}")
