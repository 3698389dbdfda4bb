"""The gate before builds: who gets a turn, who is refused, and what becomes of all under load."""

import asyncio
from contextlib import AsyncExitStack
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scic.errors import ScicError
from services.chassis import metrics
from services.chassis.deadline import Deadline
from services.gateway.admission import build_gate, waiting_line
from services.gateway.admission.build_gate import BuildGate
from services.gateway.admission.priority import Priority
from tests.unit.gateway.admission.simulation import Demand, Outcome, Processors, load
from tests.unit.gateway.admission.virtual_time import run_virtually, virtual_now


def gate(max_builds: int = 2) -> BuildGate:
    """Never measures its baseline anew."""
    return BuildGate(max_builds, clock=virtual_now, wall=lambda: 10.0, uniform=lambda low, _: low)


def within(seconds: float) -> Deadline:
    return Deadline.after(seconds, clock=virtual_now)


async def build(at: BuildGate, seconds: float, *, priority: Priority = Priority.NORMAL, deadline: float = 10.0) -> None:
    async with at.turn(priority, within(deadline)):
        await asyncio.sleep(seconds)


async def outcome_of(work: "asyncio.Task[None]") -> str:
    try:
        await work
    except ScicError as error:
        return error.reason
    return "OK"


def test_no_more_builds_run_than_the_limit_and_the_rest_wait() -> None:
    async def run() -> list[float]:
        at, ended = gate(2), list[float]()

        async def one() -> None:
            await build(at, 0.1)
            ended.append(round(virtual_now(), 6))

        await asyncio.gather(*(one() for _ in range(6)))
        assert (at.running, at.waiting) == (0, 0)
        return ended

    assert run_virtually(run()) == [0.1, 0.1, 0.2, 0.2, 0.3, 0.3]


def test_the_higher_priority_goes_first_then_who_came_first() -> None:
    async def run() -> list[str]:
        at, order = gate(1), list[str]()

        async def one(name: str, priority: Priority) -> None:
            async with at.turn(priority, within(10)):
                order.append(name)
                await asyncio.sleep(0.1)

        names = [("first", Priority.BATCH), ("job", Priority.BATCH), ("low", Priority.LOW), ("normal", Priority.NORMAL)]
        names += [("normal 2", Priority.NORMAL), ("high", Priority.HIGH)]
        await asyncio.gather(*(one(*name) for name in names))
        return order

    assert run_virtually(run()) == ["first", "high", "normal", "normal 2", "low", "job"]


def test_nobody_waits_longer_than_the_most_and_hears_when_to_come_again() -> None:
    async def run() -> None:
        at = gate(1)
        running = asyncio.create_task(build(at, 30.0))
        await asyncio.sleep(0)
        before = metrics.SHED.labels("builds", "low")._value.get()
        with pytest.raises(ScicError) as caught:
            await build(at, 0.1, priority=Priority.LOW, deadline=60.0)
        assert virtual_now() == pytest.approx(waiting_line.MOST_SECONDS)
        assert (caught.value.reason, caught.value.code.name) == ("OVERLOADED", "RESOURCE_EXHAUSTED")
        assert (caught.value.metadata, caught.value.retry_after) == ({"resource": "builds"}, 0.5)
        assert metrics.SHED.labels("builds", "low")._value.get() == before + 1
        await running

    run_virtually(run())


def test_a_job_waits_as_long_as_its_deadline_lets_it_and_makes_nobody_else_wait_less() -> None:
    async def run() -> None:
        at = gate(1)
        for _ in range(20):
            await build(at, 0.5)
        began = virtual_now()
        keep = [asyncio.create_task(build(at, 5.0, priority=Priority.BATCH, deadline=60)) for _ in range(4)]
        await asyncio.sleep(19.7)
        normal = asyncio.create_task(build(at, 0.1))  # its turn comes after 0.3 s, which is above the target
        assert {await outcome_of(task) for task in [*keep, normal]} == {"OK"}
        assert virtual_now() - began == pytest.approx(20.1)

    run_virtually(run())


def test_a_job_whose_deadline_comes_is_refused_while_it_could_still_be_built() -> None:
    async def run() -> None:
        at = gate(1)
        for _ in range(20):
            await build(at, 0.5)
        running = asyncio.create_task(build(at, 100.0, deadline=200.0))
        await asyncio.sleep(0)
        began = virtual_now()
        with pytest.raises(ScicError):
            await build(at, 0.1, priority=Priority.BATCH, deadline=60)
        assert virtual_now() - began == pytest.approx(59.5)
        await running

    run_virtually(run())


def test_workers_whose_jobs_are_more_than_they_can_build_lose_none() -> None:
    """Sixteen contexts at a time, as a worker's four jobs have, where the machine can build two."""
    lost = 0

    async def run() -> None:
        nonlocal lost
        at, machine, chance = BuildGate(64, clock=virtual_now, wall=virtual_now), Processors(2), Random(1)

        async def job() -> None:
            nonlocal lost
            for _ in range(50):
                try:
                    async with at.turn(Priority.BATCH, within(60)):
                        await machine.work(chance.uniform(0.2, 0.6))
                except ScicError:
                    lost += 1

        await asyncio.gather(*(job() for _ in range(16)))

    run_virtually(run())
    assert lost == 0


def test_who_has_no_time_left_for_a_build_is_refused_at_once_unless_there_is_a_turn() -> None:
    async def run() -> None:
        at = gate(1)
        for _ in range(20):
            await build(at, 0.2)
        await build(at, 0.2, deadline=0.1)
        running = asyncio.create_task(build(at, 0.2))
        await asyncio.sleep(0)
        began = virtual_now()
        with pytest.raises(ScicError):
            await build(at, 0.2, deadline=0.15)
        assert virtual_now() == began
        with pytest.raises(ScicError):
            await build(at, 0.2, deadline=0.3)  # its turn would come after 0.2 s, and leave 0.1 s
        assert virtual_now() == pytest.approx(began + 0.1)
        await running

    run_virtually(run())


def test_while_more_comes_than_can_be_done_the_lowest_priority_is_refused_first_and_sooner() -> None:
    async def run() -> None:
        at = gate(1)
        keep = [asyncio.create_task(build(at, 0.08, priority=Priority.HIGH, deadline=60)) for _ in range(2)]
        waits = dict[Priority, list[float]]()

        async def low() -> None:
            began = virtual_now()
            with pytest.raises(ScicError):
                await build(at, 0.08, priority=Priority.LOW, deadline=60)
            waits.setdefault(Priority.LOW, []).append(virtual_now() - began)

        async def lows() -> None:
            for _ in range(40):
                tasks.append(asyncio.create_task(low()))
                await asyncio.sleep(0.05)

        async def highs() -> None:
            for _ in range(30):
                await asyncio.sleep(0.08)
                keep.append(asyncio.create_task(build(at, 0.08, priority=Priority.HIGH, deadline=60)))

        tasks: list[asyncio.Task[None]] = []
        await asyncio.gather(lows(), highs())
        await asyncio.gather(*tasks)
        assert {await outcome_of(task) for task in keep} == {"OK"}
        late = waits[Priority.LOW][30:]
        assert max(late) <= waiting_line.TARGET_SECONDS + 0.11

    run_virtually(run())


def test_who_would_be_refused_in_the_end_is_refused_at_once() -> None:
    """While a line stands, and is longer than what can be built within the target."""

    async def run() -> None:
        at = gate(1)
        for _ in range(20):
            await build(at, 0.05)

        async def crowd() -> None:
            while virtual_now() < 4.0:
                crowd_of.append(asyncio.create_task(build(at, 0.05)))
                await asyncio.sleep(0.02)

        crowd_of: list[asyncio.Task[None]] = []
        crowding = asyncio.create_task(crowd())
        await asyncio.sleep(0.2)
        assert not at.is_crowded(Priority.NORMAL), "a burst is worked off"
        await asyncio.sleep(2.0)
        while not at.is_crowded(Priority.NORMAL):  # noqa: ASYNC110 - virtual time
            await asyncio.sleep(0.001)
        assert not at.is_crowded(Priority.HIGH), "nobody is before them"
        assert not at.is_crowded(Priority.BATCH), "they wait as long as it takes"
        began = virtual_now()
        with pytest.raises(ScicError):
            await build(at, 0.05)
        assert virtual_now() == began
        await crowding
        outcomes = [await outcome_of(task) for task in crowd_of]
        assert outcomes.count("OK") * 0.05 > 0.95 * (4.0 - 1.0), "no turn is left unused"
        assert not at.is_crowded(Priority.NORMAL)

    run_virtually(run())


def test_those_who_wait_for_what_does_not_answer_keep_nobody_out() -> None:
    async def run() -> None:
        at = gate(64)
        for _ in range(40):
            await build(at, 0.02)
        at._limit._limit = 4.0  # as an overload has taught it
        limit = at.limit
        hanging = [asyncio.create_task(build(at, 2.0)) for _ in range(12)]
        await asyncio.sleep(0)
        assert at.running == limit < 12
        assert {await outcome_of(task) for task in hanging} == {"OK"}
        assert virtual_now() < 0.8 + 2.6
        assert at.limit <= limit, "as soon as builds end, what was found out holds"

    run_virtually(run())


def test_a_job_gets_its_turn_although_jobs_before_it_hang_and_nobody_comes_any_more() -> None:
    async def run() -> None:
        at = gate(64)
        at._limit._limit = 4.0
        hanging = [asyncio.create_task(build(at, 30.0, priority=Priority.BATCH, deadline=60)) for _ in range(4)]
        behind = [asyncio.create_task(build(at, 0.1, priority=Priority.BATCH, deadline=60)) for _ in range(4)]
        await asyncio.gather(*behind)
        assert virtual_now() < 2.0
        await asyncio.gather(*hanging)

    run_virtually(run())


@pytest.mark.parametrize("seconds", [2.0, 5.0])
def test_builds_that_take_seconds_but_no_processor_go_on_as_many_at_a_time_as_before(seconds: float) -> None:
    async def run() -> int:
        at, done = BuildGate(64, clock=virtual_now, wall=virtual_now), 0

        async def caller() -> None:
            nonlocal done
            while virtual_now() < 300:
                await build(at, seconds, deadline=60)
                done += 1

        await asyncio.gather(*(caller() for _ in range(16)))
        return done

    assert run_virtually(run()) >= 16 * 300 / seconds


def test_a_burst_after_an_idle_time_meets_the_limit() -> None:
    async def run() -> None:
        at = gate(64)
        await build(at, 0.02)
        await asyncio.sleep(60)
        burst = [asyncio.create_task(build(at, 0.3)) for _ in range(40)]
        await asyncio.sleep(0.1)
        assert at.running == at.limit < 40
        await asyncio.gather(*burst, return_exceptions=True)

    run_virtually(run())


def test_a_full_line_refuses_the_last_of_the_lowest_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_line, "_MOST_WAITING", 3)

    async def run() -> list[str]:
        at = gate(1)
        ranks = [Priority.HIGH, Priority.LOW, Priority.NORMAL, Priority.LOW, Priority.HIGH, Priority.BATCH]
        tasks = [asyncio.create_task(build(at, 0.05, priority=rank)) for rank in ranks]
        return [await outcome_of(task) for task in tasks]

    # The first one builds. The second LOW makes room for the second HIGH, and BATCH finds none.
    assert run_virtually(run()) == ["OK", "OK", "OK", "OVERLOADED", "OK", "OVERLOADED"]


def test_who_leaves_as_its_turn_comes_gives_it_back() -> None:
    async def run() -> None:
        at = gate(1)
        async with at.turn(Priority.NORMAL, within(10)):
            waiting = asyncio.create_task(build(at, 0.1))
            await asyncio.sleep(0.01)
            assert at.waiting == 1
        waiting.cancel()  # its turn has come, but it does not know yet
        await asyncio.gather(waiting, return_exceptions=True)
        assert (waiting.cancelled(), at.running, at.waiting) == (True, 0, 0)

    run_virtually(run())


def test_whose_turn_comes_as_its_time_is_over_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_gate, "_LEAST_LOOK_SECONDS", 10.0)  # many steps of virtual time do not add up exactly

    async def run() -> None:
        at = gate(1)
        at._running += 1  # a build whose end falls on the very moment
        asyncio.get_running_loop().call_later(waiting_line.MOST_SECONDS, at._end)
        await build(at, 0.1)
        assert virtual_now() == pytest.approx(waiting_line.MOST_SECONDS + 0.1)
        assert (at.running, at.waiting) == (0, 0)

    run_virtually(run())


STEPS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.001, 0.05, 0.3]),  # when it comes after the one before
        st.sampled_from(list(Priority)),
        st.sampled_from([0.0, 0.01, 0.2, 2.0]),  # how long it builds
        st.sampled_from([None, 0.0, 0.0005, 0.01, 0.05, 0.2, 0.25]),  # when it is cancelled
        st.sampled_from([0.02, 0.3, 10.0]),  # its deadline
        st.booleans(),  # whether it fails
    ),
    max_size=30,
)


@settings(max_examples=200, deadline=None)
@given(steps=STEPS, max_builds=st.integers(1, 3))
def test_no_turn_is_lost_whoever_is_cancelled_fails_or_is_refused(steps, max_builds: int) -> None:
    async def run() -> None:
        at = gate(max_builds)
        most = 0

        async def one(priority: Priority, seconds: float, deadline: float, fails: bool) -> None:
            nonlocal most
            async with at.turn(priority, within(deadline)):
                most = max(most, at.running)
                await asyncio.sleep(seconds)
                if fails:
                    raise LookupError

        async with AsyncExitStack() as stack:
            tasks = []
            for wait, priority, seconds, cancelled, deadline, fails in steps:
                await asyncio.sleep(wait)
                task = asyncio.create_task(one(priority, seconds, deadline, fails))
                tasks.append(task)
                if cancelled is not None:
                    timer = asyncio.get_running_loop().call_later(cancelled, task.cancel)
                    stack.callback(timer.cancel)
            results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(one, None | ScicError | LookupError | asyncio.CancelledError) for one in results)
        assert most <= max_builds
        assert (at.running, at.waiting) == (0, 0)
        # All turns can be had again.
        await asyncio.wait_for(asyncio.gather(*(build(at, 0.01) for _ in range(max_builds))), 0.011)

    run_virtually(run())


def jittered(chance: Random) -> tuple[float, float]:
    return chance.uniform(0.01, 0.03), 0.01


def spread(chance: Random) -> tuple[float, float]:
    """A long tail: a build in a hundred takes ten times the median."""
    return min(chance.lognormvariate(-4.4, 1.0), 1.0), 0.005


def waiting(chance: Random) -> tuple[float, float]:
    """Mostly waits for others."""
    return 0.01, chance.uniform(0.05, 0.15)


def seldom_long(chance: Random) -> tuple[float, float]:
    return 0.2 if chance.random() < 0.1 else 0.01, 0.01


def capacity(demand: Demand, processors: float) -> float:
    """Builds a second that the processors can do."""
    chance = Random(0)
    return processors / (sum(demand(chance)[0] for _ in range(20_000)) / 20_000)


def loaded(demand: Demand, times: float, **options) -> Outcome:
    return load(times * capacity(demand, 2), processors=2, demand=demand, seconds=20, warm_up=20, **options)


DEMANDS = [
    pytest.param(jittered, id="alike"),
    pytest.param(spread, id="long tail"),
    pytest.param(waiting, id="mostly waiting for others"),
    pytest.param(seldom_long, id="seldom long"),
]


@pytest.mark.parametrize("gateways", [1, 2])
@pytest.mark.parametrize("demand", DEMANDS)
def test_at_three_times_the_capacity_most_of_it_is_used_and_the_admitted_are_not_late(
    demand: Demand, gateways: int
) -> None:
    full, over = loaded(demand, 1.0, gateways=gateways), loaded(demand, 3.0, gateways=gateways)
    assert over.goodput >= 0.8 * capacity(demand, 2)
    assert over.p95 <= 2 * full.p95


@pytest.mark.parametrize("demand", DEMANDS)
def test_at_half_the_capacity_nobody_is_refused(demand: Demand) -> None:
    assert loaded(demand, 0.5).refused == 0


def test_a_hundred_builds_a_second_are_not_refused_where_half_more_could_be_done() -> None:
    outcome = load(100, processors=3, demand=jittered, seconds=60)
    assert outcome.refused == 0
    assert outcome.p95 < 1.0


def test_under_overload_high_goes_before_normal_and_normal_before_low() -> None:
    def priority(chance: Random) -> Priority:
        return chance.choice([Priority.HIGH, Priority.NORMAL, Priority.LOW])

    answered = {
        rank: good / (good + bad) for rank, (good, bad) in loaded(jittered, 2.0, priority=priority).by_priority.items()
    }
    assert answered[Priority.HIGH] > 0.98
    assert answered[Priority.HIGH] > answered[Priority.NORMAL] > answered[Priority.LOW]
    assert answered[Priority.LOW] < 0.25


def test_without_the_gate_the_same_overload_makes_everybody_late() -> None:
    assert loaded(jittered, 3.0, gated=False).p95 > 10 * loaded(jittered, 3.0).p95


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param((0.02, 0.06), (0.02, 0.2), id="they wait longer for others"),
        pytest.param((0.001, 0.009), (0.03, 0.22), id="a breaker has closed"),
        pytest.param((0.02, 0.01), (0.02, 0.8), id="they take a second"),
    ],
)
def test_the_limit_follows_builds_that_become_slow_for_good(
    before: tuple[float, float], after: tuple[float, float]
) -> None:
    slow_from = 10.0

    def demand(_: Random) -> tuple[float, float]:
        return before if virtual_now() < slow_from else after

    outcome = load(40, processors=2, demand=demand, seconds=60, warm_up=40)
    assert outcome.goodput > 0.9 * 40


@pytest.mark.parametrize("processors", [1, 4])
def test_the_limit_finds_what_the_processors_can_do(processors: int) -> None:
    outcome = load(3 * capacity(jittered, processors), processors=processors, demand=jittered, seconds=20)
    assert processors <= sum(outcome.limits) / len(outcome.limits) <= 6 * processors
