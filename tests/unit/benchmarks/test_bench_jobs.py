"""What the events of a job tell of those who left it behind."""

import pytest

from benchmarks.gateway.jobs import take_overs
from scic.gateway.v1 import job_service_pb2 as pb

QUEUED, RUNNING, SUCCEEDED = pb.JOB_STATE_QUEUED, pb.JOB_STATE_RUNNING, pb.JOB_STATE_SUCCEEDED


def event(
    milliseconds: int, state: pb.JobState.ValueType, attempt: int = 0, *, failed: bool = False
) -> pb.WatchJobResponse:
    made = pb.WatchJobResponse(position=f"{milliseconds}-0", job=pb.Job(state=state, attempt_count=attempt))
    if failed:
        made.job.error.code = 14
    return made


@pytest.mark.parametrize(
    ("events", "seconds"),
    [
        pytest.param([event(0, QUEUED), event(5, RUNNING, 1), event(9, SUCCEEDED, 1)], [], id="done at once"),
        pytest.param(
            [event(0, QUEUED), event(500, RUNNING, 1), event(4000, RUNNING, 2), event(4100, SUCCEEDED, 2)],
            [3.5],
            id="taken over",
        ),
        pytest.param(
            [event(0, RUNNING, 1), event(1000, RUNNING, 1), event(4000, RUNNING, 2)],
            [3.0],
            id="from the last word of the attempt",
        ),
        pytest.param(
            [event(0, RUNNING, 1), event(3000, RUNNING, 2), event(6500, QUEUED, 2), event(30_000, RUNNING, 3)],
            [3.0, 3.5],
            id="put back in line, where it waits",
        ),
        pytest.param(
            [event(0, RUNNING, 1), event(40, QUEUED, 1, failed=True), event(900, RUNNING, 2)],
            [],
            id="failed, and said so",
        ),
    ],
)
def test_a_take_over_lasts_until_it_is_noticed(events: list[pb.WatchJobResponse], seconds: list[float]) -> None:
    assert take_overs(events) == seconds
