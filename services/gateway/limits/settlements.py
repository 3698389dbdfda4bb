"""Corrections on their way to the log: merged, bounded, tried again while Redis is away."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Self

from services.chassis import metrics
from services.chassis.logs import get_logger
from services.gateway.limits.ports import Correction, LimitsAwayError, LimitsBusyError, UsageLog
from services.gateway.limits.rule import Rule

_log = get_logger(__name__)

_MOST: Final = 20_000
"""Entries whose corrections wait at most, some megabytes."""

_BATCH: Final = 64
"""Corrections in one round trip."""

_TENANTS_AT_A_TIME: Final = 8

_CLOSING_SECONDS: Final = 1.0


@dataclass(slots=True)
class _Sum:
    """What all corrections of one entry come to."""

    until: float
    """When the entry leaves its window, and needs no correction any more."""

    requests: int = 0
    tokens: int = 0


_Entries = dict[tuple[Rule, int], _Sum]


@dataclass(frozen=True, slots=True)
class _Batch:
    """What is sent, and sent again until it is settled: repeated, it must be the same."""

    number: int
    corrections: tuple[Correction, ...]
    until: float


class Settlements:
    """Settles in the background; opened, a task does it.

    What cannot be settled leaves the estimate charged until the window has passed: too strict, never too lax.

    Args:
        log: where to.
        pause: seconds until it is tried again.
        clock: seconds.
        most: entries whose corrections wait at most; of further ones the estimate stays.
    """

    def __init__(
        self,
        log: UsageLog,
        *,
        pause: float = 0.5,
        clock: Callable[[], float] = time.monotonic,
        most: int = _MOST,
    ) -> None:
        self._log = log
        self._pause = pause
        self._clock = clock
        self._most = most
        self._waiting: dict[str, _Entries] = {}
        self._sent: dict[str, _Batch] = {}
        self._count = 0
        self._batches = 0
        self._some = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._keep_settling())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None, "it was entered"
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING_SECONDS):
                await self._idle.wait()
        self._task.cancel()
        await asyncio.wait([self._task])
        for correction in self._left():
            _dropped(correction.rule)

    def add(self, tenant: str, correction: Correction) -> None:
        """Has a correction settled soon."""
        entries = self._waiting.setdefault(tenant, {})
        key = correction.rule, correction.number
        if (total := entries.get(key)) is None:
            if self._count >= self._most:
                _dropped(correction.rule)
                return
            self._count += 1
            total = entries[key] = _Sum(self._clock() + correction.rule.seconds)
        total.requests += correction.requests
        total.tokens += correction.tokens
        self._some.set()
        self._idle.clear()

    async def _keep_settling(self) -> None:
        while True:
            await self._some.wait()
            settled = True
            tenants = list(dict.fromkeys((*self._sent, *self._waiting)))
            for begin in range(0, len(tenants), _TENANTS_AT_A_TIME):
                some = tenants[begin : begin + _TENANTS_AT_A_TIME]
                settled = all(await asyncio.gather(*map(self._settle, some))) and settled
            if not self._sent and not self._waiting:
                self._some.clear()
                self._idle.set()
            if not settled:
                await asyncio.sleep(self._pause)

    async def _settle(self, tenant: str) -> bool:
        """Settles a batch of a tenant's; whether it is over, one way or the other."""
        batch = self._sent.get(tenant) or self._next(tenant)
        if batch is None:
            return True
        self._sent[tenant] = batch
        if batch.until > self._clock():
            try:
                await self._log.settle(tenant, batch.corrections, batch.number)
            except (LimitsAwayError, LimitsBusyError) as error:
                _log.debug("limits_not_settled", error=str(error))
                return False
            except Exception as error:  # noqa: BLE001 - one batch that goes wrong must not end the settling of all
                _log.error("limits_not_settled", exc_info=error)
                for correction in batch.corrections:
                    _dropped(correction.rule)
        del self._sent[tenant]
        self._count -= len(batch.corrections)
        return True

    def _next(self, tenant: str) -> _Batch | None:
        entries = self._waiting.get(tenant, {})
        now, until = self._clock(), 0.0
        corrections: list[Correction] = []
        for rule, number in list(entries)[:_BATCH]:
            total = entries.pop((rule, number))
            if total.until <= now or not (total.requests or total.tokens):
                self._count -= 1
                continue
            until = max(until, total.until)
            corrections.append(Correction(rule, number, total.requests, total.tokens))
        if not entries:
            self._waiting.pop(tenant, None)
        if not corrections:
            return None
        self._batches += 1
        return _Batch(self._batches, tuple(corrections), until)

    def _left(self) -> Iterator[Correction]:
        for batch in self._sent.values():
            yield from batch.corrections
        for entries in self._waiting.values():
            for (rule, number), total in entries.items():
                yield Correction(rule, number, total.requests, total.tokens)


def _dropped(rule: Rule) -> None:
    metrics.UNSETTLED.labels(rule.name).inc()
