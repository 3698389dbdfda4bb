"""The log of what tenants used, on a real Valkey, alone and as a cluster's node, shared by several gateways."""

import asyncio
import itertools
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError

from scic import errors
from services.chassis import metrics
from services.chassis.breaker import Breaker
from services.gateway.connections import RETRY
from services.gateway.limits import redis_log
from services.gateway.limits.limiter import Limiter
from services.gateway.limits.ports import Charge, Correction, Cost, LimitsAwayError, LimitsBusyError, Refusal
from services.gateway.limits.redis_log import RedisUsageLog, log_key
from services.gateway.limits.redis_scripts import CHARGE
from services.gateway.limits.rule import Rule, Rules
from services.gateway.redis import batches as redis_batches
from services.gateway.redis import calls as redis_calls
from services.gateway.redis.calls import Patience
from tests.valkey import ALONE, CLUSTER, Valkey
from tests.waiting import LONG, eventually

NOW = "{acme}:now"
SECOND = 1_000_000
PATIENT = Patience(LONG, LONG)
"""On a busy machine a test waits longer than a request would."""


def connect(server: Valkey) -> Redis | RedisCluster:
    kind = RedisCluster if server.cluster else Redis
    return kind.from_url(server.url, retry=RETRY, socket_timeout=LONG)


@pytest.fixture
async def redis(server: Valkey) -> AsyncIterator[Redis | RedisCluster]:
    async with connect(server) as redis:
        await redis.flushall()
        yield redis


def log_on(redis: Redis | RedisCluster) -> RedisUsageLog:
    return RedisUsageLog(redis, Breaker("limits-test"), patience=PATIENT)


class Clock:
    """Redis' clock, as the test sets it."""

    def __init__(self, redis: Redis | RedisCluster) -> None:
        self._redis = redis
        self.now = 1_795_000_000 * SECOND

    async def set(self, now: int) -> None:
        self.now = now
        await self._redis.set(NOW, f"{now // SECOND} {now % SECOND}")

    async def advance(self, microseconds: int) -> None:
        await self.set(self.now + microseconds)


@dataclass
class Timed:
    """A log whose clock stands until it is moved."""

    log: RedisUsageLog
    clock: Clock
    redis: Redis | RedisCluster

    _settled: int = 0

    async def charge(self, *rules: Rule, requests: int = 1, tokens: int = 0) -> Charge | Refusal:
        return await self.log.charge("acme", costs(*rules, requests=requests, tokens=tokens))

    async def settle(self, charge: Charge, *, requests: int = 1, tokens: int) -> None:
        """Puts what was used in the place of what was charged."""
        self._settled += 1
        corrections = [
            Correction(entry.cost.rule, entry.number, requests - entry.cost.requests, tokens - entry.cost.tokens)
            for entry in charge.entries
            if entry.cost.rule.tokens is not None
        ]
        if corrections:
            await self.log.settle(charge.tenant, corrections, self._settled)

    async def count(self, *rules: Rule, tokens: int = 0) -> int:
        """Requests that are let in until one is refused."""
        for count in itertools.count():
            if isinstance(await self.charge(*rules, tokens=tokens), Refusal):
                return count
        raise AssertionError


@pytest.fixture
async def timed(redis: Redis | RedisCluster, monkeypatch: pytest.MonkeyPatch) -> Timed:
    """Every log that a test makes goes by its clock."""
    clock = Clock(redis)
    await clock.set(clock.now)
    read = f"(function() local s, m = string.match(redis.call('GET', '{NOW}'), '(%d+) (%d+)') return {{s, m}} end)()"
    assert "redis.call('TIME')" in CHARGE
    monkeypatch.setattr(redis_log, "CHARGE", CHARGE.replace("redis.call('TIME')", read))
    return Timed(log_on(redis), clock, redis)


def per(seconds: float, name: str = "rule", **fields) -> Rule:
    return Rule(name, seconds, **fields)


def costs(*rules: Rule, requests: int = 1, tokens: int = 0) -> list[Cost]:
    return [Cost(rule, requests, 0 if rule.tokens is None else tokens) for rule in rules]


def refusal(outcome: Charge | Refusal) -> Refusal:
    assert isinstance(outcome, Refusal)
    return outcome


def charged(outcome: Charge | Refusal) -> Charge:
    assert isinstance(outcome, Charge)
    return outcome


@pytest.fixture(autouse=True)
def turns_come(monkeypatch: pytest.MonkeyPatch) -> None:
    wait_for_turns(monkeypatch, LONG)


def wait_for_turns(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """How long calls wait behind others."""
    for module in (redis_calls, redis_batches):
        monkeypatch.setattr(module, "QUEUE_SECONDS", seconds)


async def test_within_every_window_exactly_the_limit_is_let_in_by_four_gateways(server: Valkey) -> None:
    rule, window = per(1.0, requests=100), 1.0
    loop = asyncio.get_running_loop()
    spans: list[tuple[float, float]] = []
    async with AsyncExitStack() as stack:
        logs = [log_on(await stack.enter_async_context(connect(server))) for _ in range(4)]
        await asyncio.gather(*(log.charge("warm", costs(per(1.0, requests=9))) for log in logs))

        async def offer(log: RedisUsageLog) -> None:
            sent = loop.time()
            if isinstance(await log.charge("four", costs(rule)), Charge):
                spans.append((sent, loop.time()))

        for _ in range(3):
            begin, already = loop.time(), len(spans)
            await asyncio.gather(*(offer(logs[number % 4]) for number in range(1000)))
            if loop.time() - begin < window:  # else the machine is so slow that the next window has begun
                assert len(spans) - already == 100
            await asyncio.sleep(max(spans[already + 99][1] + window - loop.time(), 0))
    assert len(spans) >= 300
    # Whoever was let in was so between sending and hearing: no 101 certainly lie within one window.
    assert all(late[1] - early[0] >= window for early, late in zip(spans, spans[100:], strict=False))


async def test_four_gateways_at_one_moment_let_in_exactly_the_limit(server: Valkey, timed: Timed) -> None:
    rule = per(60, requests=100)
    async with AsyncExitStack() as stack:
        logs = [log_on(await stack.enter_async_context(connect(server))) for _ in range(4)]
        for _ in range(3):
            outcomes = await asyncio.gather(*(logs[number % 4].charge("acme", costs(rule)) for number in range(1000)))
            assert sum(isinstance(outcome, Charge) for outcome in outcomes) == 100
            assert {outcome.retry_after for outcome in outcomes if isinstance(outcome, Refusal)} == {60.0}
            await timed.clock.advance(60 * SECOND)


async def test_there_is_room_exactly_when_it_was_said(timed: Timed) -> None:
    rule = per(10, requests=3)
    for _ in range(3):
        charged(await timed.charge(rule))
        await timed.clock.advance(SECOND)
    assert refusal(await timed.charge(rule)) == Refusal(costs(rule)[0], "requests", 7.0)
    await timed.clock.advance(7 * SECOND - 1)
    assert refusal(await timed.charge(rule)).retry_after == 1e-6
    await timed.clock.advance(1)
    assert await timed.count(rule) == 1


async def test_of_several_rules_the_one_that_has_room_last_is_named_and_none_is_charged(timed: Timed) -> None:
    second, minute = per(1, "second", requests=2), per(60, "minute", requests=3)
    assert await timed.count(second, minute) == 2
    assert refusal(await timed.charge(second, minute)) == Refusal(costs(second)[0], "requests", 1.0)
    await timed.clock.advance(SECOND)
    assert await timed.count(second, minute) == 1
    assert refusal(await timed.charge(second, minute)) == Refusal(costs(minute)[0], "requests", 59.0)
    # Had the refused ones been charged to it, it would have no room.
    assert await timed.count(second) == 1


async def test_tokens_are_charged_as_estimated_and_settled_as_used(timed: Timed) -> None:
    rule = per(60, requests=1000, tokens=1000)
    first = charged(await timed.charge(rule, tokens=600))
    assert refusal(await timed.charge(rule, tokens=600)) == Refusal(costs(rule, tokens=600)[0], "tokens", 60.0)
    await timed.settle(first, tokens=100)
    second = charged(await timed.charge(rule, tokens=900))
    assert isinstance(await timed.charge(rule, tokens=1), Refusal)
    await timed.settle(second, tokens=0)
    charged(await timed.charge(rule, tokens=900))
    assert isinstance(await timed.charge(rule, tokens=1), Refusal)
    charged(await timed.charge(rule, tokens=0))


async def test_a_request_that_is_larger_than_the_limit_never_has_room(timed: Timed) -> None:
    assert refusal(await timed.charge(per(60, tokens=1000), tokens=1001)).retry_after is None


async def test_what_is_settled_after_its_window_changes_nothing(timed: Timed) -> None:
    rule = per(1, requests=10, tokens=1000)
    late = charged(await timed.charge(rule, tokens=900))
    await timed.clock.advance(2 * SECOND)
    charged(await timed.charge(rule, tokens=900))
    await timed.settle(late, tokens=0)
    assert refusal(await timed.charge(rule, tokens=200)).lacks == "tokens"
    await timed.redis.delete(log_key("acme", rule))
    await timed.clock.advance(SECOND)
    charged(await timed.charge(rule, tokens=900))
    await timed.settle(late, tokens=0)
    assert refusal(await timed.charge(rule, tokens=200)).lacks == "tokens"


async def test_a_shadow_refuses_nothing_and_counts_what_it_would_refuse(timed: Timed) -> None:
    shadow, rule = per(60, "shadow", requests=2, shadow=True), per(60, requests=4)
    over = [charged(await timed.charge(shadow, rule)).over for _ in range(4)]
    assert over == [(), (), (shadow,), (shadow,)]
    assert refusal(await timed.charge(shadow, rule)).cost.rule == rule
    await timed.clock.advance(60 * SECOND)
    assert charged(await timed.charge(shadow, rule)).over == ()


async def test_tenants_are_counted_apart(timed: Timed) -> None:
    rule = per(60, requests=2)
    assert await timed.count(rule) == 2
    real = log_on(timed.redis)
    assert isinstance(await real.charge("other", costs(rule)), Charge)


async def test_no_erasure_gives_back_what_was_used(timed: Timed) -> None:
    await timed.charge(per(60, requests=2))
    found = {key async for key in timed.redis.scan_iter(match="scic:{acme}:*")}
    assert log_key("acme", per(60, requests=2)).encode() not in found


async def test_a_log_goes_when_its_window_is_over(redis: Redis | RedisCluster) -> None:
    rule = per(0.1, requests=2)
    await log_on(redis).charge("acme", costs(rule))
    assert 0 < await redis.pttl(log_key("acme", rule)) <= 102

    async def gone() -> bool:
        return not await redis.exists(log_key("acme", rule))

    await eventually("the log goes", gone)


@pytest.mark.parametrize(
    ("rule", "most"),
    [
        pytest.param(per(60, requests=1000), 1000, id="few requests"),
        pytest.param(per(60, requests=100_000), 1026, id="many requests"),
        pytest.param(per(60, tokens=10**9), 1026, id="tokens"),
    ],
)
async def test_a_log_is_bounded(timed: Timed, rule: Rule, most: int) -> None:
    for _ in range(2500):
        await timed.charge(rule, tokens=1)
        await timed.clock.advance(60 * SECOND // 2000)
    assert await timed.redis.hlen(log_key("acme", rule)) <= most + 6


async def test_a_clock_that_goes_back_blocks_for_a_window_at_most(timed: Timed) -> None:
    rule = per(10, requests=3)
    assert await timed.count(rule) == 3
    await timed.clock.advance(4 * SECOND)
    assert refusal(await timed.charge(rule)).retry_after == 6.0
    await timed.clock.advance(-3600 * SECOND)
    assert refusal(await timed.charge(rule)).retry_after == 10.0
    await timed.clock.advance(4 * SECOND)
    assert refusal(await timed.charge(rule)).retry_after == 6.0
    await timed.clock.advance(6 * SECOND)
    assert await timed.count(rule) == 3
    await timed.clock.advance(10 * SECOND - 1)
    assert await timed.count(rule) == 0
    await timed.clock.advance(1)
    assert await timed.count(rule) == 3


async def test_a_clock_that_goes_forth_makes_room_once(timed: Timed) -> None:
    rule = per(10, requests=3)
    assert await timed.count(rule) == 3
    await timed.clock.advance(3600 * SECOND)
    assert await timed.count(rule) == 3
    await timed.clock.advance(10 * SECOND - 1)
    assert await timed.count(rule) == 0


@dataclass
class Model:
    """The definition: within any window that ends now, at most the limit."""

    rule: Rule
    entries: list[list[int]] = field(default_factory=list)
    """Of each request the time when it leaves, and its tokens."""

    def needs(self, now: int, tokens: int) -> int | None:
        """Microseconds until there is room, None for never."""
        rule = self.rule
        alive = sorted(entry for entry in self.entries if entry[0] > now)
        for gone in range(len(alive) + 1):
            left = alive[gone:]
            fits = rule.requests is None or len(left) < rule.requests
            fits = fits and (rule.tokens is None or not tokens or sum(t for _, t in left) + tokens <= rule.tokens)
            if fits:
                return alive[gone - 1][0] - now if gone else 0
        return None

    def add(self, now: int, tokens: int) -> list[int]:
        granule = self.rule.granule
        entry = [-(-now // granule) * granule + self.rule.window, tokens]
        self.entries.append(entry)
        return entry


RULES = st.builds(
    Rule,
    st.sampled_from(["a", "b", "c"]),
    st.sampled_from([0.1, 1.0, 7.5]),
    requests=st.sampled_from([None, 1, 3, 2000]),
    tokens=st.sampled_from([None, 10, 25]),
    shadow=st.booleans(),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.sampled_from([0, 1, 4, 10, 11])),
        st.tuples(st.just("wait"), st.sampled_from([1, 37, 1_000, 99_999, 100_000, 500_000, 3_000_000])),
        st.tuples(st.just("settle"), st.sampled_from([0, 2, 10])),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rules=st.lists(RULES, min_size=1, max_size=3, unique_by=lambda rule: rule.name), steps=STEPS)
async def test_the_log_does_as_its_definition(timed: Timed, rules: list[Rule], steps: list[tuple[str, int]]) -> None:
    await timed.redis.delete(*(log_key("acme", rule) for rule in rules))
    models = {rule: Model(rule) for rule in rules}
    open_charges: list[tuple[Charge, dict[Rule, list[int]]]] = []
    for step, value in steps:
        now = timed.clock.now
        match step:
            case "wait":
                await timed.clock.advance(value)
            case "settle" if open_charges:
                charge, entries = open_charges.pop(0)
                await timed.settle(charge, tokens=value)
                for entry in charge.entries:
                    entries[entry.cost.rule][1] = value if entry.cost.rule.tokens is not None else 0
            case "ask":
                needs = {rule: model.needs(now, value) for rule, model in models.items()}
                refusing = {rule: need for rule, need in needs.items() if need != 0 and not rule.shadow}
                outcome = await timed.charge(*rules, tokens=value)
                if refusing:
                    assert needs[refusal(outcome).cost.rule] != 0
                    waits = [need for need in refusing.values() if need is not None]
                    longest = None if len(waits) < len(refusing) else max(waits) / 1e6
                    assert refusal(outcome).retry_after == longest
                else:
                    assert set(charged(outcome).over) == {rule for rule, need in needs.items() if need != 0}
                    made = {rule: models[rule].add(now, value) for rule, need in needs.items() if need == 0}
                    if charged(outcome).entries:
                        open_charges.append((charged(outcome), made))


def let_through(rule: str, outcome: str) -> float:
    return float(metrics.LIMITED.labels(rule, outcome)._value.get())


@pytest.mark.parametrize("cluster", [ALONE, CLUSTER])
@pytest.mark.parametrize("trouble", ["killed", "stopped"])
async def test_while_redis_is_away_each_rule_does_as_it_says_and_all_resumes(tmp_path, cluster, trouble) -> None:
    server = Valkey(tmp_path, cluster=cluster)
    server.start()
    try:
        async with connect(server) as redis:
            opened, closed = per(3600, "opened", requests=2), per(3600, "closed", requests=2, closed=True)
            shadow = per(3600, "shadow", requests=1, shadow=True, closed=True)
            breaker = Breaker("limits-away", reset_timeout=0.05)
            log = RedisUsageLog(redis, breaker, patience=PATIENT)
            limiter = Limiter(Rules([opened, closed]), RedisUsageLog(redis, breaker))
            charged(await log.charge("acme", costs(opened)))
            if trouble == "killed":
                server.kill()
            else:
                server.signal(signal.SIGSTOP)
            before = let_through("opened", "open"), let_through("shadow", "open")
            for _ in range(10):
                assert await limiter.charge("acme", costs(opened, shadow)) is None
                with pytest.raises(errors.ScicError) as caught:
                    await limiter.charge("acme", costs(opened, closed))
                assert caught.value.reason == "LIMITS_UNAVAILABLE"
                assert caught.value.metadata["rule"] == "closed"
            assert (let_through("opened", "open"), let_through("shadow", "open")) == (before[0] + 10, before[1])
            if trouble == "killed":
                server.start()
            else:
                server.signal(signal.SIGCONT)

            async def counted() -> bool:
                try:
                    return isinstance(await log.charge("back", costs(closed)), Charge)
                except LimitsAwayError:
                    return False

            await eventually("limits are checked again", counted)
            assert isinstance(await log.charge("back", costs(closed)), Charge)
            assert isinstance(await log.charge("back", costs(closed)), Refusal)
    finally:
        if trouble == "stopped":
            server.signal(signal.SIGCONT)
        server.kill()


async def test_a_lost_connection_is_made_anew_and_charges_once(redis: Redis | RedisCluster, server: Valkey) -> None:
    log, rule = log_on(redis), per(3600, requests=3)
    assert isinstance(await log.charge("acme", costs(rule)), Charge)
    async with Redis.from_url(server.url) as other:
        await other.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    outcomes: Sequence[Charge | Refusal] = [await log.charge("acme", costs(rule)) for _ in range(3)]
    assert [type(outcome) for outcome in outcomes] == [Charge, Charge, Refusal]


async def test_one_round_trip_for_all_rules(redis: Redis | RedisCluster, server: Valkey) -> None:
    log = log_on(redis)
    rules = [replace(per(60, requests=5), name=f"rule-{number}") for number in range(8)]
    await log.charge("acme", costs(*rules))
    async with Redis.from_url(server.url) as other:
        await other.config_resetstat()
        await log.charge("acme", costs(*rules))
        stats = await other.info("commandstats")
    assert stats["cmdstat_evalsha"]["calls"] == 1


async def test_a_call_whose_reply_was_lost_is_charged_once(redis: Redis | RedisCluster, server: Valkey) -> None:
    """The client sends it again, since it cannot know."""
    log, rule = log_on(redis), per(3600, requests=3, tokens=100)
    await log.charge("acme", costs(rule))
    answers = list[Any]()
    read: Any = AbstractConnection.read_response

    async def lost(connection: AbstractConnection, *args: Any, **options: Any) -> Any:
        answers.append(await read(connection, *args, **options))
        if len(answers) == 1:
            await connection.disconnect(nowait=True)
            raise RedisConnectionError("the line was cut")
        return answers[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AbstractConnection, "read_response", lost)
        second = charged(await log.charge("acme", costs(rule, tokens=40)))
    assert [(entry.cost.rule, entry.cost.tokens) for entry in second.entries] == [(rule, 40)]
    assert answers[0] == answers[-1], "it was sent twice, and answered the same"
    assert isinstance(await log.charge("acme", costs(rule, tokens=60)), Charge)
    assert isinstance(await log.charge("acme", costs(rule)), Refusal)


async def test_a_batch_that_is_settled_again_changes_nothing(timed: Timed) -> None:
    rule = per(60, requests=10, tokens=1000)
    entries = [charged(await timed.charge(rule, requests=3, tokens=300)).entries[0] for _ in range(3)]
    for _ in range(3):
        await timed.log.settle("acme", [Correction(rule, entry.number, -2, -200) for entry in entries[:2]], 1)
    # 1 + 1 + 3 requests and 100 + 100 + 300 tokens are charged.
    assert refusal(await timed.charge(rule, requests=6)).lacks == "requests"
    assert refusal(await timed.charge(rule, tokens=501)).lacks == "tokens"
    charged(await timed.charge(rule, requests=5, tokens=500))


async def test_a_call_for_many_is_charged_for_all_of_them_or_none(timed: Timed) -> None:
    rule, other = per(60, requests=100), per(60, "other", requests=10)
    charged(await timed.charge(rule, requests=60))
    await timed.clock.advance(SECOND)
    charged(await timed.charge(rule, requests=40))
    assert refusal(await timed.charge(rule, requests=61)) == Refusal(costs(rule, requests=61)[0], "requests", 60.0)
    assert refusal(await timed.charge(rule, requests=60)) == Refusal(costs(rule, requests=60)[0], "requests", 59.0)
    assert refusal(await timed.charge(other, requests=11)).retry_after is None


async def test_a_burst_does_not_open_the_limits(
    redis: Redis | RedisCluster, server: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More calls at once than it can count in time: they are refused as too many, whatever the rules say."""
    wait_for_turns(monkeypatch, 1.0)

    async def burst(rule: Rule) -> list[Any]:
        calls = [asyncio.create_task(limiter.charge("acme", costs(rule))) for _ in range(1000)]
        server.signal(signal.SIGSTOP)
        await asyncio.sleep(2)
        server.signal(signal.SIGCONT)
        return await asyncio.gather(*calls, return_exceptions=True)

    rule = per(3600, requests=10)
    limiter = Limiter(Rules([rule]), log_on(redis))
    before = let_through("rule", "open")
    outcomes = await burst(rule)
    assert sum(isinstance(outcome, Charge) for outcome in outcomes) == 10
    assert any(isinstance(outcome, LimitsBusyError) for outcome in outcomes)
    assert {type(outcome) for outcome in outcomes} <= {Charge, LimitsBusyError, errors.ScicError}
    assert let_through("rule", "open") == before
    shadow = per(3600, "shadow", requests=1, shadow=True)
    outcomes = await burst(shadow)
    assert not any(isinstance(outcome, Exception) for outcome in outcomes)
