"""A breaker for each source: one that fails again and again is left out before it costs a request its time."""

import asyncio
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

from services.chassis.breaker import Breaker, BreakerOpenError, Verdict

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


class _SourceFailedError(Exception):
    """What a source's breaker hears of."""


class SourceBreakers:
    """The breakers of all sources."""

    def __init__(self, names: Iterable[str]) -> None:
        self._breakers = {name: Breaker(f"source-{name}") for name in names}

    async def trials_over(self, names: Iterable[str], *, within: float) -> None:
        """Waits, at most `within` seconds for all, for searches that decide whether these sources are back."""
        trials = [self._breakers[name].trial_over(within) for name in names if self._breakers[name].on_trial]
        if trials:
            await asyncio.gather(*trials)

    def attempt(self, names: Iterable[str]) -> "Attempt":
        """Begins a search of these sources, as far as their breakers let it through; to be used in a `with`."""
        return Attempt(self._breakers, names)


class Attempt:
    """One search of several sources. A source whose outcome is not told counts as neither success nor failure."""

    def __init__(self, breakers: Mapping[str, Breaker], names: Iterable[str]) -> None:
        self._breakers = breakers
        self._names = tuple(names)
        self._calls: dict[str, AbstractContextManager[Verdict]] = {}

    @property
    def names(self) -> list[str]:
        """The sources that may be asked and have no outcome yet."""
        return list(self._calls)

    def succeeded(self, name: str) -> None:
        """Tells that the source answered."""
        self._calls.pop(name).__exit__(None, None, None)

    def failed(self, name: str) -> None:
        """Tells that the source is to blame for not answering."""
        self._end(name, _SourceFailedError(name))

    def __enter__(self) -> Self:
        for name in self._names:
            call = self._breakers[name].calling()
            try:
                call.__enter__()
            except BreakerOpenError:
                continue
            self._calls[name] = call
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for name in self.names:
            self._end(name, asyncio.CancelledError())

    def _end(self, name: str, error: BaseException) -> None:
        self._calls.pop(name).__exit__(type(error), error, None)
