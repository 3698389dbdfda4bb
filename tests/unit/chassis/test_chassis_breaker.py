"""The breaker under overlapping calls on one event loop."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from scic.errors import INVALID_FIELD, STAGE_UNAVAILABLE, ScicError
from services.chassis import metrics
from services.chassis.breaker import Breaker, BreakerOpenError, Verdict, is_failure

RESET = 2.0


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker("stage", fail_max=3, reset_timeout=RESET, clock=clock)


def rpc_error(code: grpc.StatusCode) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), "")


DOWN = rpc_error(grpc.StatusCode.UNAVAILABLE)
REFUSED = rpc_error(grpc.StatusCode.INVALID_ARGUMENT)


def call(breaker: Breaker, error: BaseException | None = None) -> None:
    with breaker.calling():
        if error is not None:
            raise error


def fail(breaker: Breaker, times: int, error: BaseException = DOWN) -> None:
    for _ in range(times):
        with pytest.raises(type(error)):
            call(breaker, error)


async def slow_call(breaker: Breaker, gate: asyncio.Event, error: BaseException | None = None) -> None:
    with breaker.calling():
        await gate.wait()
        if error is not None:
            raise error


async def begin(breaker: Breaker, gate: asyncio.Event, error: BaseException | None = None) -> asyncio.Task[None]:
    task = asyncio.create_task(slow_call(breaker, gate, error))
    await asyncio.sleep(0)
    return task


@pytest.mark.parametrize(
    ("error", "counts"),
    [
        *((rpc_error(code), True) for code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)),
        *((rpc_error(code), True) for code in (grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL)),
        *((rpc_error(code), False) for code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND)),
        *((rpc_error(code), False) for code in (grpc.StatusCode.CANCELLED, grpc.StatusCode.RESOURCE_EXHAUSTED)),
        (STAGE_UNAVAILABLE.error(""), True),
        (INVALID_FIELD.error(""), False),
        (ConnectionRefusedError(), True),
        (TimeoutError(), True),
    ],
    ids=lambda value: value.code().name if isinstance(value, grpc.aio.AioRpcError) else repr(value),
)
def test_what_speaks_against_the_callee(error: Exception, counts: bool) -> None:
    assert is_failure(error) is counts


def test_opens_after_failures_in_a_row_and_makes_no_more_calls(breaker: Breaker) -> None:
    fail(breaker, 2)
    call(breaker)
    fail(breaker, 2)
    assert breaker.state == "closed"
    fail(breaker, 1)
    assert breaker.state == "open"
    with pytest.raises(BreakerOpenError) as refused, breaker.calling():
        pytest.fail("the call was made")
    assert (refused.value.name, refused.value.retry_after) == ("stage", RESET)


def test_the_error_that_opens_it_passes_unchanged(breaker: Breaker) -> None:
    fail(breaker, 2)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        call(breaker, DOWN)
    assert raised.value is DOWN


def test_answers_that_are_errors_keep_it_closed(breaker: Breaker) -> None:
    fail(breaker, 2)
    fail(breaker, 10, REFUSED)
    fail(breaker, 2)
    assert breaker.state == "closed"


@pytest.mark.parametrize(("error", "after"), [(None, "closed"), (REFUSED, "closed"), (DOWN, "open")])
def test_the_trial_decides(breaker: Breaker, clock: Clock, error: ScicError | None, after: str) -> None:
    fail(breaker, 3)
    clock.now += RESET
    if error is None:
        call(breaker)
    else:
        fail(breaker, 1, error)
    assert breaker.state == after


def test_a_failed_trial_begins_a_new_pause(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += RESET
    fail(breaker, 1)
    clock.now += RESET - 0.5
    with pytest.raises(BreakerOpenError) as refused:
        call(breaker)
    assert refused.value.retry_after == 0.5


async def test_one_trial_at_a_time(breaker: Breaker, clock: Clock) -> None:
    """pybreaker's own `calling()` lets all of them through."""
    fail(breaker, 3)
    clock.now += RESET
    gate = asyncio.Event()
    trial = await begin(breaker, gate)
    for _ in range(5):
        with pytest.raises(BreakerOpenError):
            call(breaker)
    gate.set()
    await trial
    call(breaker)
    assert breaker.state == "closed"


async def test_a_cancelled_trial_decides_nothing_and_makes_way(breaker: Breaker, clock: Clock) -> None:
    """pybreaker's own `calling()` counts it as an answer or a failure."""
    fail(breaker, 3)
    clock.now += RESET
    trial = await begin(breaker, asyncio.Event())
    trial.cancel()
    with pytest.raises(asyncio.CancelledError):
        await trial
    assert breaker.state == "half-open"
    call(breaker)
    assert breaker.state == "closed"


async def test_cancelled_calls_neither_open_nor_excuse(breaker: Breaker) -> None:
    fail(breaker, 2)
    for _ in range(5):
        task = await begin(breaker, asyncio.Event())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        fail(breaker, 0)
    with pytest.raises(grpc.aio.AioRpcError):
        call(breaker, rpc_error(grpc.StatusCode.CANCELLED))
    assert breaker.state == "closed"
    fail(breaker, 1)
    assert breaker.state == "open"


async def test_failures_that_end_late_do_not_prolong_the_pause(breaker: Breaker, clock: Clock) -> None:
    """pybreaker's own `calling()` opens anew at each."""
    gate = asyncio.Event()
    late = [await begin(breaker, gate, DOWN) for _ in range(4)]
    fail(breaker, 3)
    clock.now += RESET - 0.5
    gate.set()
    await asyncio.gather(*late, return_exceptions=True)
    clock.now += 0.5
    call(breaker)
    assert breaker.state == "closed"


async def test_outcomes_of_an_earlier_time_do_not_judge_the_present(breaker: Breaker, clock: Clock) -> None:
    gate = asyncio.Event()
    late = [await begin(breaker, gate, DOWN) for _ in range(4)]
    fail(breaker, 3)
    clock.now += RESET
    call(breaker)
    gate.set()
    await asyncio.gather(*late, return_exceptions=True)
    assert breaker.state == "closed"


def test_the_state_is_a_metric(breaker: Breaker, clock: Clock) -> None:
    def shown() -> float | None:
        return metrics.REGISTRY.get_sample_value("context_breaker_state", {"breaker": "stage"})

    assert shown() == 0
    fail(breaker, 3)
    assert shown() == 2
    clock.now += RESET
    with breaker.calling():
        assert shown() == 1
    assert shown() == 0


async def test_who_waits_for_the_trial_goes_on_when_it_is_over(breaker: Breaker, clock: Clock) -> None:
    await breaker.trial_over(60.0)
    fail(breaker, 3)
    clock.now += RESET
    gate = asyncio.Event()
    trial = await begin(breaker, gate)
    waiting = asyncio.create_task(breaker.trial_over(60.0))
    await breaker.trial_over(0.0)
    assert not waiting.done(), "the trial still runs"
    gate.set()
    await trial
    await waiting
    call(breaker)


def test_a_call_that_does_not_count_neither_opens_nor_closes(breaker: Breaker, clock: Clock) -> None:
    def say_nothing(error: BaseException | None = None) -> None:
        with breaker.calling() as verdict:
            verdict.counts = False
            if error is not None:
                raise error

    for _ in range(5):
        with pytest.raises(grpc.aio.AioRpcError):
            say_nothing(DOWN)
    assert breaker.state == "closed"
    fail(breaker, 3)
    clock.now += RESET
    say_nothing()
    assert breaker.state == "half-open"
    call(breaker)
    assert breaker.state == "closed"


def test_an_answer_that_counts_as_a_failure_opens_and_is_given_back(breaker: Breaker) -> None:
    for _ in range(3):
        with breaker.calling() as verdict:
            verdict.against = True
    assert breaker.state == "open"


async def test_who_is_probed_is_tried_in_the_background_and_by_no_caller() -> None:
    breaker = Breaker("probed", fail_max=1, reset_timeout=0.01)
    answers = [DOWN, None]
    probed = asyncio.Event()

    async def probe(verdict: Verdict) -> None:
        if error := answers.pop(0):
            raise error
        probed.set()

    async with breaker.probed(probe):
        fail(breaker, 1)
        await asyncio.sleep(0.02)
        with pytest.raises(BreakerOpenError):
            call(breaker)
        await asyncio.wait_for(probed.wait(), 30)
        await asyncio.sleep(0)
        assert breaker.state == "closed"
        call(breaker)
        assert not answers


def test_one_bad_moment_opens_nothing_where_the_row_must_last(clock: Clock) -> None:
    breaker = Breaker("moments", fail_max=3, least_seconds=1.0, clock=clock)
    fail(breaker, 50)
    assert breaker.state == "closed"
    clock.now += 0.9
    fail(breaker, 50)
    assert breaker.state == "closed"
    call(breaker)
    clock.now += 0.9
    fail(breaker, 50)
    assert breaker.state == "closed", "something went well in between"
    clock.now += 1.0
    fail(breaker, 1)
    assert breaker.state == "open"
