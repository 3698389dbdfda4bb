"""A circuit breaker for calls that are awaited: pybreaker counts and decides, this file makes it fit asyncio.

pybreaker 1.4 does not know asyncio (its issue 7). Its own `calling()` goes wrong where calls overlap: every call passes
while it is half-open, a failure that ends late prolongs the pause, a cancelled trial counts as an answer. So the gate
stands here, outcomes are reported without an await between, and count only in the state that let their call in.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self

import grpc
import grpc.aio
import pybreaker

from scic.errors import ScicError
from services.chassis import metrics
from services.chassis.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

_log = get_logger(__name__)

_FAILURES: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.INTERNAL,
    }
)
_LEAST_PAUSE: Final = 0.05
"""Seconds between two trials at least."""
_LEVELS: Final = {pybreaker.STATE_CLOSED: 0, pybreaker.STATE_HALF_OPEN: 1, pybreaker.STATE_OPEN: 2}


class BreakerOpenError(Exception):
    """The call was not made: the callee failed too often of late."""

    def __init__(self, name: str, retry_after: float) -> None:
        super().__init__(f"the breaker {name!r} is open")
        self.name: Final = name
        self.retry_after: Final = retry_after
        """Seconds until the next trial."""


def is_failure(error: BaseException) -> bool:
    """Tell whether an error speaks against the callee: it is out of reach, late, or broken.

    INVALID_ARGUMENT and its like are answers. Whatever carries no gRPC code counts: that is how other clients fail.
    """
    code = _code_of(error)
    return code is None or code in _FAILURES


def _code_of(error: BaseException) -> grpc.StatusCode | None:
    if isinstance(error, grpc.aio.AioRpcError):
        return error.code()
    return error.code if isinstance(error, ScicError) else None


@dataclass(slots=True)
class Verdict:
    """What a call says of its callee where its outcome alone would say something else."""

    counts: bool = True
    """False: whatever comes of the call is neither success nor failure, as of a caller in too much of a hurry."""
    against: bool = False
    """True: it counts as a failure although it answered, as one that came too late to be of use."""


class _AgainstError(Exception):
    """What pybreaker hears of an answer that counts as a failure."""


class Breaker:
    """Opens after `fail_max` failures in a row; after `reset_timeout` seconds lets one trial through at a time.

    With `least_seconds` the row must have lasted so long: of many calls under way one bad moment fails all.
    Its state is of this process and event loop; the metric `context_breaker_state` shows it.
    """

    def __init__(
        self,
        name: str,
        *,
        fail_max: int = 5,
        reset_timeout: float = 2.0,
        least_seconds: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name: Final = name
        self._reset_timeout = reset_timeout
        self._least_seconds = least_seconds
        self._failing_since: float | None = None
        self._clock = clock
        self._opened_at = 0.0
        self._no_trial = asyncio.Event()
        self._no_trial.set()
        self._opened = asyncio.Event()
        self._probed = False
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=fail_max,
            reset_timeout=reset_timeout,
            exclude=[lambda error: not is_failure(error)],
            listeners=[_Listener(self)],
            name=name,
            throw_new_error_on_trip=False,
        )
        metrics.BREAKER_STATE.labels(name).set(_LEVELS[self.state])

    @property
    def state(self) -> str:
        """`closed`, `half-open` or `open`."""
        return self._breaker.current_state

    @property
    def on_trial(self) -> bool:
        """Whether a call is under way that decides; others are refused meanwhile."""
        return not self._no_trial.is_set()

    async def trial_over(self, within: float) -> None:
        """Wait, at most `within` seconds, for a call that decides whether the breaker closes.

        Others are refused meanwhile. After a quiet time the callee is mostly back, and the trial takes milliseconds.
        """
        if self._no_trial.is_set():
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._no_trial.wait()

    @contextmanager
    def calling(self) -> Iterator[Verdict]:
        """Stand around the await of one call; what is yielded takes what its outcome does not say.

        Raises BreakerOpenError before the block when the call must not be made; the block's own error passes unchanged.
        A cancelled call says nothing about the callee and counts as neither success nor failure.
        """
        with self._admitted(trial=self._admit(may_try=not self._probed)) as verdict:
            yield verdict

    @asynccontextmanager
    async def probed(self, probe: Callable[[Verdict], Awaitable[object]]) -> AsyncIterator[Self]:
        """Within the `async with`, trials are calls of `probe` in the background: no caller pays for one.

        Args:
            probe: a call of the callee that changes nothing; it must end by itself.
        """
        self._probed = True
        task = asyncio.create_task(self._keep_trying(probe))
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.wait([task])
            self._probed = False

    async def _keep_trying(self, probe: Callable[[Verdict], Awaitable[object]]) -> None:
        while True:
            await self._opened.wait()
            await asyncio.sleep(max(self._opened_at + self._reset_timeout - self._clock(), _LEAST_PAUSE))
            try:
                with self._admitted(trial=self._admit(may_try=True)) as verdict:
                    await probe(verdict)
            except Exception as error:  # noqa: BLE001 - whatever it is, it speaks against the callee, and that is noted
                _log.debug("probe_failed", breaker=self.name, error=type(error).__name__)

    @contextmanager
    def _admitted(self, *, trial: bool) -> Iterator[Verdict]:
        """A call that was let in, to the report of its outcome."""
        admitted_by = self._breaker.state
        verdict = Verdict()
        try:
            yield verdict
        except Exception as error:
            if (
                self._breaker.state is admitted_by
                and verdict.counts
                and _code_of(error) is not grpc.StatusCode.CANCELLED
            ):
                self._report(error)
            raise
        else:
            if self._breaker.state is admitted_by and verdict.counts:
                self._report(_AgainstError() if verdict.against else None)
        finally:
            if trial:
                self._no_trial.set()

    def _report(self, error: Exception | None) -> None:
        if error is None or not is_failure(error):
            self._failing_since = None
        elif self._is_moment():
            return
        if error is None:
            if self._breaker.fail_counter or self.state != pybreaker.STATE_CLOSED:
                self._breaker.call(_succeed)
            return
        with suppress(type(error)):
            self._breaker.call(_fail, error)

    def _is_moment(self) -> bool:
        """Whether one more failure would open it, and all of the row may have come of one moment."""
        now = self._clock()
        if self._failing_since is None:
            self._failing_since = now
        last = self.state == pybreaker.STATE_CLOSED and self._breaker.fail_counter >= self._breaker.fail_max - 1
        return last and now - self._failing_since < self._least_seconds

    def _admit(self, *, may_try: bool) -> bool:
        """Let a call in, or raise. Returns whether it is the trial."""
        if self.state == pybreaker.STATE_CLOSED:
            return False
        wait = self._opened_at + self._reset_timeout - self._clock()
        if not may_try or not self._no_trial.is_set() or wait > 0:
            raise BreakerOpenError(self.name, max(wait, 0.0))
        if self.state == pybreaker.STATE_OPEN:
            self._breaker.half_open()
        self._no_trial.clear()
        return True

    def _entered(self, state: str) -> None:
        if state == pybreaker.STATE_OPEN:
            self._opened_at = self._clock()
            self._opened.set()
        elif state == pybreaker.STATE_CLOSED:
            self._opened.clear()
        metrics.BREAKER_STATE.labels(self.name).set(_LEVELS[state])
        _log.warning("breaker", breaker=self.name, state=state)


class _Listener(pybreaker.CircuitBreakerListener):
    def __init__(self, breaker: Breaker) -> None:
        self._breaker = breaker

    def state_change(self, cb: Any, old_state: Any, new_state: Any) -> None:
        self._breaker._entered(new_state.name)  # noqa: SLF001  # two halves of one thing


def _succeed() -> None:
    pass


def _fail(error: Exception) -> NoReturn:
    raise error
