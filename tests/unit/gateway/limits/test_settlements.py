"""Settlements: each entry is corrected once and wholly, however many come, whatever becomes of Redis meanwhile."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from services.chassis import metrics
from services.gateway.limits import settlements
from services.gateway.limits.ports import Charge, Correction, Cost, LimitsAwayError, Refusal
from services.gateway.limits.rule import Rule
from services.gateway.limits.settlements import Settlements
from tests.unit.gateway.admission.virtual_time import run_virtually, virtual_now

RULE = Rule("settled", 60, tokens=1000)


@dataclass
class Log:
    """What was settled; it is away until it is back."""

    back_at: float = 0.0
    done: dict[tuple[str, int], int] = field(default_factory=Counter)
    """By tenant and number of the entry."""
    known: set[tuple[str, int]] = field(default_factory=set)
    sizes: list[int] = field(default_factory=list)
    attempts: int = 0

    async def charge(self, tenant: str, costs: Sequence[Cost]) -> Charge | Refusal:
        raise AssertionError

    async def settle(self, tenant: str, corrections: Sequence[Correction], batch: int) -> None:
        self.attempts += 1
        if (tenant, batch) not in self.known:
            # As after a reply that was lost: it is done, and the gateway does not know.
            self.known.add((tenant, batch))
            self.sizes.append(len(corrections))
            for one in corrections:
                self.done[tenant, one.number] += one.tokens
        await asyncio.sleep(0.001)
        if virtual_now() < self.back_at:
            raise LimitsAwayError


def correction(number: int, tokens: int = -10, rule: Rule = RULE) -> Correction:
    return Correction(rule, number, 0, tokens)


def unsettled() -> float:
    return float(metrics.UNSETTLED.labels(RULE.name)._value.get())


@pytest.mark.parametrize("back_at", [0.0, 20.0], ids=["at once", "Redis away for 20 s"])
def test_all_of_many_at_once_are_settled_once(back_at: float) -> None:
    async def run() -> Log:
        log = Log(back_at)
        async with Settlements(log, clock=virtual_now) as settling:
            for number in range(3000):
                settling.add(f"tenant-{number % 7}", correction(number))
            await asyncio.sleep(30)
        return log

    before = unsettled()
    log = run_virtually(run())
    assert log.done == {(f"tenant-{number % 7}", number): -10 for number in range(3000)}
    assert unsettled() == before


def test_corrections_of_one_entry_become_one() -> None:
    async def run() -> Log:
        log = Log()
        async with Settlements(log, clock=virtual_now) as settling:
            for _ in range(1000):
                settling.add("acme", correction(1))
        return log

    log = run_virtually(run())
    assert (log.done, log.sizes) == ({("acme", 1): -10_000}, [1])


def test_what_is_left_as_it_closes_is_settled_or_counted() -> None:
    async def run(log: Log) -> Log:
        async with Settlements(log, clock=virtual_now) as settling:
            for number in range(200):
                settling.add("acme", correction(number))
        return log

    before = unsettled()
    assert len(run_virtually(run(Log())).done) == 200
    assert unsettled() == before
    run_virtually(run(Log(back_at=1e9)))
    assert unsettled() == before + 200


def test_above_the_bound_they_are_dropped_and_counted() -> None:
    async def run() -> Log:
        log = Log()
        async with Settlements(log, clock=virtual_now, most=100) as settling:
            for number in range(150):
                settling.add("acme", correction(number))
            await asyncio.sleep(1)
            settling.add("acme", correction(200))
        return log

    before = unsettled()
    assert set(run_virtually(run()).done) == {("acme", number) for number in (*range(100), 200)}
    assert unsettled() == before + 50


def test_nothing_is_tried_longer_than_its_window() -> None:
    async def run() -> None:
        log = Log(back_at=1e9)
        async with Settlements(log, clock=virtual_now) as settling:
            for number in range(settlements._BATCH + 1):
                settling.add("acme", correction(number))
            await asyncio.sleep(RULE.seconds + 1)
            tried = log.attempts
            assert tried > RULE.seconds
            await asyncio.sleep(100)
            assert log.attempts == tried

    before = unsettled()
    run_virtually(run())
    assert unsettled() == before
