"""What calls are charged for: contexts by the profile that they follow, jobs by their work."""

from dataclasses import dataclass, replace

import pytest
from structlog.contextvars import bound_contextvars

from scic import errors
from scic.gateway.v1 import context_service_pb2 as pb
from scic.gateway.v1 import job_service_pb2 as jobs
from services.gateway.callers.principal import Principal
from services.gateway.limits import costs
from services.gateway.limits.costs import ContextTokens, Work, may_go_on, work_of
from services.gateway.profiles.ports import ResolvedProfile
from services.gateway.profiles.profile import Profile, default_profile
from services.gateway.sources.declarations import declared_sources

ACME = Principal("key", "acme", frozenset())


@dataclass
class Profiles:
    """`small` has 8,000 tokens, `split` 500 or 900 by the request, `silent` says nothing; there are no others."""

    profile: Profile
    asked: int = 0

    async def resolve(self, tenant: str, reference: str, unit: str) -> ResolvedProfile:
        self.asked += 1
        tokens = {"": 4000, "small": 8000, "split": 900 if unit == "name:1" else 500, "silent": 0}.get(reference)
        if tenant != "acme" or tokens is None:
            raise errors.UNKNOWN_PROFILE.error("no")
        return ResolvedProfile(replace(self.profile, max_tokens=tokens), "", "main")


@pytest.fixture
def profiles() -> Profiles:
    return Profiles(default_profile("gpt-4o", declared_sources("{}"), ()))


def build(
    profile: str = "", max_tokens: int = 0, *, conversation_id: str = "", request_id: str = ""
) -> pb.BuildContextRequest:
    return pb.BuildContextRequest(
        profile=profile, max_tokens=max_tokens, conversation_id=conversation_id, request_id=request_id
    )


def job(*contexts: pb.BuildContextRequest, request_id: str = "name") -> jobs.SubmitJobRequest:
    return jobs.SubmitJobRequest(request_id=request_id, contexts=jobs.ContextBatch(requests=contexts))


@pytest.mark.parametrize(
    ("request_", "tokens"),
    [
        pytest.param(build("small", 700), 700, id="its own bound"),
        pytest.param(build("small"), 8000, id="that of its profile"),
        pytest.param(build(), 4000, id="that of the default profile"),
        pytest.param(build("silent"), 0, id="no bound: refused by itself"),
        pytest.param(build("unknown"), 0, id="no such profile: refused by itself"),
        pytest.param(build(max_tokens=-5), 0, id="refused by itself"),
        pytest.param(build("split", conversation_id="name:1"), 900, id="its share by conversation"),
        pytest.param(build("split", request_id="name:1"), 900, id="its share by request"),
        pytest.param(build("split"), 900, id="its share by the call's id"),
        pytest.param(job(build("small"), build("small", 100), build()), 12_100, id="the sum of a job"),
        pytest.param(job(build("split"), build("split")), 1400, id="shares of a job's items"),
        pytest.param(job(build("unknown"), build("unknown", 50), build("small")), 8000, id="as each for itself"),
        pytest.param(jobs.SubmitJobRequest(documents=jobs.DocumentBatch()), 0, id="documents"),
        pytest.param(b"no message", 0, id="no message"),
    ],
)
async def test_a_context_takes_at_most(profiles: Profiles, request_: object, tokens: int) -> None:
    with bound_contextvars(request_id="name:1"):
        assert await ContextTokens(profiles)(ACME, request_) == tokens


async def test_a_job_of_unknown_profiles_looks_for_few_of_them_and_is_charged_for_the_rest(profiles: Profiles) -> None:
    request = job(*(build(f"unknown-{number}") for number in range(1000)))
    tokens = await ContextTokens(profiles)(ACME, request)
    assert profiles.asked == costs._MOST_UNKNOWN
    assert tokens == (1000 - costs._MOST_UNKNOWN) * costs._MOST_TOKENS


@pytest.mark.parametrize(
    ("method", "request_", "work"),
    [
        pytest.param("BuildContext", build(), Work("BuildContext", 1), id="a context"),
        pytest.param("SubmitJob", job(build(), build()), Work("BuildContext", 2), id="contexts"),
        pytest.param(
            "SubmitJob",
            jobs.SubmitJobRequest(documents=jobs.DocumentBatch()),
            Work("IngestDocuments", 1),
            id="documents: as a stream of them",
        ),
        pytest.param("SubmitJob", jobs.SubmitJobRequest(), Work("SubmitJob", 1), id="nothing: refused by itself"),
        pytest.param("WatchJob", b"no message", Work("WatchJob", 1), id="any other"),
    ],
)
def test_a_call_is_charged_for_its_work(method: str, request_: object, work: Work) -> None:
    assert work_of(method, request_) == work


@pytest.mark.parametrize(
    ("request_", "error", "goes_on"),
    [
        pytest.param(build(), errors.STAGE_UNAVAILABLE.error("no"), False, id="a context that failed"),
        pytest.param(job(), errors.JOB_QUEUE_FULL.error("no"), False, id="a job that was refused"),
        pytest.param(job(), errors.QUEUE_UNAVAILABLE.error("no"), True, id="nobody knows whether it was put in"),
        pytest.param(job(), TimeoutError(), True, id="nor here"),
    ],
)
def test_a_job_may_be_done_although_its_submission_failed(request_: object, error: Exception, goes_on: bool) -> None:
    assert may_go_on(request_, error) == goes_on
