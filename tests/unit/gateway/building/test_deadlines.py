"""Too little time: steps are left out in the declared order, and the reply comes in time or not at all."""

import asyncio
import heapq
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scic import ScicError
from scic.gateway.v1 import context_service_pb2 as pb
from scic.type.v1 import compression_pb2
from scic.type.v1.degradation_pb2 import STAGE_COMPOSE, STAGE_COMPRESS, STAGE_MEASURE, STAGE_SELECT
from services.chassis.deadline import Deadline
from services.gateway.building.builder import ContextBuilder
from services.gateway.callers.principal import Principal
from services.gateway.profiles.profile import default_profile
from services.gateway.stages.stage_error import StageError
from services.gateway.steps.step import SKIPPED_FIRST, TIME_SHARES, Step
from services.gateway.steps.timetable import MARGIN_SECONDS, Timetable
from tests.fake_cache import FakeSelections
from tests.fakes import FakeComposer, FakeCompressor, FakeSelector, ladder_of, recipe_of

PROFILE = default_profile("gpt-4o")
ANNA = Principal("anna", "acme", frozenset())
LATE = "DEADLINE_EXCEEDED"
SUMMARY_SHARE = 0.8


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Slowness:
    """Takes a while by a virtual clock, and has no answer where it is not given as long."""

    clock: Clock
    seconds: float = 0.0
    calls: int = 0
    timeouts: list[float] = field(default_factory=list)

    def take(self, timeout: float) -> None:
        self.calls += 1
        self.timeouts.append(timeout)
        self.clock.now += min(self.seconds, timeout)
        if self.seconds > timeout:
            raise StageError("stage", LATE)


class World:
    """The builder and stages that take their time."""

    def __init__(self, **seconds: float) -> None:
        self.clock = Clock()
        self.deadline = Deadline(self.clock.now, self.clock)
        self.slow = {name: Slowness(self.clock, seconds.get(name, 0.0)) for name in ("select", "compress", "compose")}
        self.selections = _Selections(self.clock)
        self.selector, self.compressor, self.composer = _Selector(self), _Compressor(self), _Composer(self)
        ladder = ladder_of(self.selector, lambda work: work.close(), cache=self.selections)
        self.builder = ContextBuilder(ladder, self.compressor, self.composer, self.clock)
        self.selector.store("acme", "guide.md", *(f"Text number {n}. " * 10 for n in range(8)))

    async def build(self, seconds: float, **fields: Any) -> pb.BuildContextResponse:
        request = pb.BuildContextRequest(**{"question": "Why?", "max_tokens": 500, "request_id": "r1", **fields})
        self.deadline = Deadline.after(seconds, clock=self.clock)
        return await self.builder.build(ANNA, recipe_of(request, PROFILE), self.deadline)

    async def answer(self, seconds: float, **fields: Any) -> pb.BuildContextResponse | None:
        """None where there was no time for any."""
        try:
            return await self.build(seconds, **fields)
        except ScicError as error:
            if error.reason != LATE:
                raise
        return None

    async def warm(self) -> None:
        """Lets the builder find out how long its stages take."""
        for _ in range(40):
            await self.build(60.0)


@dataclass
class _Selections(FakeSelections):
    clock: Clock = field(default_factory=Clock)
    seconds: float = 0.0

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    async def find(self, tenant, keys):
        self.clock.now += self.seconds
        return await super().find(tenant, keys)


@dataclass
class _Selector(FakeSelector):
    world: Any = None

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world

    async def select(self, request, *, timeout):
        self.world.slow["select"].take(timeout)
        return await super().select(request, timeout=timeout)


@dataclass
class _Compressor(FakeCompressor):
    world: Any = None
    summary_seconds: float = 0.0
    """What an LLM takes beyond, where it may be asked."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world

    async def compress(self, request, *, timeout):
        slow = self.world.slow["compress"]
        slow.take(timeout)
        response = await super().compress(request, timeout=timeout)
        response.decision.level = compression_pb2.COMPRESSION_LEVEL_HEAVY
        if self.summary_seconds and not request.dry_run:
            # The compressor keeps time for its answer, and gives the extract where the LLM is late.
            patience = (timeout - slow.seconds) * SUMMARY_SHARE
            self.world.clock.now += min(self.summary_seconds, patience)
            if self.summary_seconds > patience:
                response.degraded_reason = LATE
            else:
                response.decision.method = compression_pb2.COMPRESSION_METHOD_SUMMARY
        return response


@dataclass
class _Composer(FakeComposer):
    world: Any = None
    overruns: bool = False
    """Whether its answer comes when even the time for the way back has begun."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world

    async def compose(self, request, *, timeout):
        self.world.slow["compose"].take(timeout)
        if self.overruns:
            self.world.clock.now = self.world.deadline.at - MARGIN_SECONDS / 2
        return await super().compose(request, timeout=timeout)


def late(built: pb.BuildContextResponse) -> list[int]:
    return [degradation.stage for degradation in built.degradations if degradation.reason == LATE]


@pytest.mark.parametrize(
    ("seconds", "skipped"),
    [
        pytest.param(10.0, [], id="time for everything"),
        pytest.param(0.300, [STAGE_COMPRESS], id="no time to compress"),
        pytest.param(0.180, [STAGE_COMPRESS, STAGE_COMPOSE], id="nor to compose"),
        pytest.param(0.050, [STAGE_SELECT, STAGE_COMPOSE], id="not even to search"),
    ],
)
async def test_what_there_is_no_time_for_is_not_begun(seconds: float, skipped: list[int]) -> None:
    world = World(select=0.1, compress=0.2, compose=0.08)
    await world.warm()
    before = {name: slow.calls for name, slow in world.slow.items()}
    start = world.clock.now
    built = await world.build(seconds)
    assert [stage for stage in late(built) if stage != STAGE_MEASURE] == skipped
    assert world.clock.now - start <= seconds - MARGIN_SECONDS
    begun = {name for name, slow in world.slow.items() if slow.calls > before[name]}
    names = {"select": STAGE_SELECT, "compress": STAGE_COMPRESS, "compose": STAGE_COMPOSE}
    # Without a passage there is nothing to compress.
    expected = {name for name, stage in names.items() if stage not in skipped}
    assert begun == (expected - {"compress"} if STAGE_SELECT in skipped else expected)
    assert built.messages[-1].content == "Why?"
    assert bool(built.degradations) is bool(skipped), "quality figures go first"


async def test_a_search_that_is_too_slow_takes_no_other_step_with_it() -> None:
    world = World(select=0.3, compress=0.005, compose=0.003)
    await world.warm()
    before = world.slow["compress"].calls
    built = await world.build(0.25, passages=[pb.InlinePassage(text="Mine. " * 100)])
    assert late(built) == [STAGE_SELECT]
    assert world.slow["compress"].calls == before + 1


async def test_a_step_is_begun_after_all_where_those_before_it_were_quick() -> None:
    world = World(select=0.3, compress=0.1, compose=0.003)
    await world.warm()
    assert STAGE_COMPRESS in late(await world.build(0.35))
    await world.warm()
    world.slow["select"].seconds = 0.02
    assert not late(await world.build(0.35))


async def test_each_says_what_was_done_instead_and_what_it_cost() -> None:
    world = World(select=0.1, compress=0.2, compose=0.08)
    await world.warm()
    built = await world.build(0.180)
    told = {degradation.stage: (degradation.detail, degradation.cost) for degradation in built.degradations}
    left_out = len([one for one in built.dropped if one.reason == pb.DroppedPassage.REASON_BUDGET])
    assert told[STAGE_COMPRESS][0] == "passages were kept whole, best first, as far as they fit"
    assert told[STAGE_COMPRESS][1].startswith(f"{left_out} of 8 passages left out, ")
    assert told[STAGE_COMPOSE] == ("the gateway wrote the messages itself", "")
    assert STAGE_MEASURE not in told, "without those two there is time for the quality figures"
    built = await world.build(0.050)
    (detail, cost) = next((one.detail, one.cost) for one in built.degradations if one.stage == STAGE_SELECT)
    assert detail.startswith("no source could be searched; ")
    assert "up to 8 passages of history missing" in cost


async def test_a_summary_goes_before_the_compressor_does() -> None:
    world = World(select=0.01, compress=0.02, compose=0.01)
    world.compressor.summary_seconds = 1.0
    await world.warm()
    built = await world.build(0.5)
    assert not [one for one in built.degradations if one.stage not in {STAGE_MEASURE, STAGE_COMPRESS}]
    (told,) = (one for one in built.degradations if one.stage == STAGE_COMPRESS)
    assert (told.reason, told.detail) == (LATE, "no summary was asked for; the best parts of the passages were kept")
    assert told.cost == "8 passages stand in extracts, not in sentences written for the question"
    assert built.compression.method != compression_pb2.COMPRESSION_METHOD_SUMMARY


async def test_an_llm_that_is_late_is_known_to_be_slow() -> None:
    world = World(select=0.01, compress=0.02, compose=0.01)
    world.compressor.summary_seconds = 100.0
    await world.warm()
    start = world.clock.now
    built = await world.build(10.0)
    assert world.clock.now - start < 1.0, "the LLM was not asked"
    (told,) = (one for one in built.degradations if one.stage == STAGE_COMPRESS)
    assert told.detail == "no summary was asked for; the best parts of the passages were kept"


async def test_a_summary_that_mostly_takes_long_gets_the_time_that_the_others_leave() -> None:
    world = World(compress=0.02)
    world.compressor.summary_seconds = 1.0
    await world.warm()
    built = await world.build(1.5)
    assert built.compression.method == compression_pb2.COMPRESSION_METHOD_SUMMARY
    assert not late(built)


async def test_what_was_skipped_as_too_slow_is_tried_again_after_a_while() -> None:
    world = World(compress=1.0)
    await world.warm()
    world.slow["compress"].seconds = 0.0
    assert STAGE_COMPRESS in late(await world.build(0.5))
    world.clock.now += 20.0
    assert [late(await world.build(0.5)) for _ in range(2)] == [[], []], "one quick answer is enough"


STAGES = frozenset(TIME_SHARES)


@pytest.mark.parametrize(
    ("patience", "over"),
    [
        pytest.param(0.3, 0.5, id="that the same callers met"),
        pytest.param(60.0, 10.0, id="that more patient callers waited for"),
    ],
)
def test_a_slow_moment_is_soon_forgotten(patience: float, over: float) -> None:
    """A hundred calls a second; for one second the compressor takes 6 s."""
    clock = Clock(0.0)
    timetable = Timetable(clock)
    ends: list[tuple[float, float]] = []
    degraded_at = 0.0
    for n in range(4000):
        now = n / 100
        while ends and ends[0][0] <= now:
            clock.now, took = heapq.heappop(ends)
            timetable.note(Step.COMPRESS, took)
        clock.now = now
        slow = now < 1.0
        deadline = Deadline.after(patience if slow else 0.3, clock=clock)
        skips = Step.COMPRESS in timetable.skipped(STAGES, deadline)
        took = min(6.0 if slow else 0.005, deadline.share(TIME_SHARES[Step.COMPRESS]).remaining())
        if not skips:
            heapq.heappush(ends, (now + took, took))
        if skips or (slow and took < 6.0):
            degraded_at = now
    last = 1.0 + min(6.0, patience)
    assert degraded_at < last + over


async def test_a_finished_reply_is_not_thrown_away_for_want_of_time_to_measure_it() -> None:
    world = World()
    world.composer.overruns = True
    built = await world.build(1.0)
    assert built.messages[-1].content == "Why?"
    assert late(built) == [STAGE_MEASURE]
    assert built.degradations[0].cost.endswith("figures and the recommendations are missing")
    assert not built.HasField("quality")


async def test_time_is_kept_back_for_what_stands_in_for_the_search() -> None:
    world = World(select=100.0)
    world.selections.seconds = 0.1
    world.selector.away = True
    await world.warm()
    world.selector.away = False
    built = await world.answer(0.15)
    assert built is not None
    assert STAGE_SELECT in late(built)


@pytest.mark.parametrize("seconds", [-1.0, 0.0, 0.001, MARGIN_SECONDS])
async def test_without_time_for_any_answer_no_work_is_begun(seconds: float) -> None:
    world = World()
    with pytest.raises(ScicError) as caught:
        await world.build(seconds)
    assert caught.value.reason == LATE
    assert not any(slow.calls for slow in world.slow.values())


SECONDS = st.sampled_from([0.0, 0.002, 0.01, 0.03, 0.1, 0.5, 3.0])


@settings(max_examples=150, deadline=None)
@given(
    slow=st.fixed_dictionaries({"select": SECONDS, "compress": SECONDS, "compose": SECONDS}),
    then=st.fixed_dictionaries({"select": SECONDS, "compress": SECONDS, "compose": SECONDS}),
    summary=SECONDS,
    warm=st.booleans(),
    deadlines=st.lists(st.floats(0.0, 4.0) | st.floats(0.0, 0.1), min_size=1, max_size=5),
    brought=st.booleans(),
)
def test_a_reply_comes_in_time_or_not_at_all(slow, then, summary, warm, deadlines, brought) -> None:
    async def run() -> None:
        world = World(**slow)
        world.compressor.summary_seconds = summary
        if warm:
            for _ in range(5):
                await world.build(60.0)
        for name, seconds in then.items():
            world.slow[name].seconds = seconds
        for seconds in deadlines:
            start = world.clock.now
            built = await world.answer(seconds, passages=[pb.InlinePassage(text="Mine.")] if brought else [])
            if built is not None:
                assert world.clock.now - start <= seconds - MARGIN_SECONDS + 1e-9
                assert built.messages[-1].content == "Why?"
                assert all(one.detail for one in built.degradations)

    asyncio.run(run())


@settings(max_examples=200, deadline=None)
@given(
    typical=st.fixed_dictionaries({step: st.floats(0.0, 2.0) for step in Step}),
    ahead=st.sets(st.sampled_from(Step), min_size=1),
    seconds=st.floats(0.01, 10.0),
)
def test_steps_are_skipped_in_the_declared_order_and_no_more_than_needed(typical, ahead, seconds) -> None:
    clock = Clock()
    timetable = Timetable(clock)
    for step, took in typical.items():
        for _ in range(60):
            timetable.note(step, took)
    skipped = timetable.skipped(ahead, Deadline.after(seconds, clock=clock))

    def needed(left_out: AbstractSet[Step]) -> float:
        times: list[float] = [typical[step] for step in ahead - left_out]
        return timetable.reserve(left_out) + sum(times)

    if needed(ahead) <= seconds:
        assert needed(skipped) <= seconds + 0.001
    # No step is left out that has its time beside those that are missed more and are not.
    for n, step in enumerate(SKIPPED_FIRST):
        if step in skipped and not (step is Step.SUMMARY and Step.COMPRESS in skipped):
            others = (skipped | ahead & set(SKIPPED_FIRST[:n])) - {step}
            assert needed(others) > seconds - 0.01, "each step takes a few milliseconds at least"
