"""The fallback ladder: what stands for a source that cannot be searched.

Each source climbs down by itself: the source, what it last gave for the question, its backup, what the request brought
or the source's declared default, and at last nothing but the question. Each rung that calls something has a breaker of
its own, and so has each source.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from scic import errors
from scic.selector.v1 import selector_service_pb2 as selector
from services.chassis import metrics
from services.chassis.deadline import FAIR_SECONDS, Deadline
from services.chassis.logs import get_logger
from services.gateway.cache.ports import CacheUnavailableError, SelectionCache
from services.gateway.sources.breakers import SourceBreakers
from services.gateway.sources.climb import Climb, Passages, Rung, Selected, Stand
from services.gateway.sources.search import Search
from services.gateway.sources.source import Sources
from services.gateway.stages.ports import Selector
from services.gateway.stages.stage_error import StageError
from services.gateway.steps.step import TIME_SHARES, Step

_log = get_logger(__name__)

_CACHE_SHARE = 0.3
"""Part of the time still left that looking into the cache may take."""

_TRIAL_SHARE = 0.25
"""Part of a search's time that it waits for another to find out whether a source is back."""


class Ladder:
    """Finds passages for one request after another. Whatever fails, it has an answer."""

    def __init__(
        self,
        *,
        selector_stage: Selector,
        backup: Selector,
        cache: SelectionCache,
        sources: Sources,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        """`backup` is the selector too, behind a breaker of its own."""
        self._selector = selector_stage
        self._backup = backup
        self._cache = cache
        self._breakers = SourceBreakers(sources)
        self._spawn = spawn

    async def select(self, search: Search, deadline: Deadline, *, keep: bool, search_by: Deadline | None) -> Selected:
        """What the sources give, or what stands for them; with `keep` it may stand for them another time.

        The sources themselves are searched until `search_by`; where it is None the time is too short to ask the
        selector, and only the rungs that do not need it are climbed.
        Raises ScicError where the selector says that the request or the corpus itself is at fault.
        """
        climb = Climb(search)
        if search_by is None:
            climb.lose(errors.DEADLINE_EXCEEDED.name)
        else:
            await self._search(climb, search_by, keep=keep)
        if climb.lost:
            start = deadline.clock()
            await self._look_up(climb, deadline)
            climb.instead_seconds = deadline.clock() - start
            # A backup gets a share of what is left then, and no time is kept back for it.
            await self._search_backups(climb, deadline)
            climb.make_do()
        selected = climb.selected()
        for report in selected.reports:
            if report.rung != Rung.RUNG_PRIMARY:
                rung = Rung.Name(report.rung).removeprefix("RUNG_").lower()
                metrics.FALLBACKS.labels(report.source, rung).inc()
        return selected

    async def _search(self, climb: Climb, deadline: Deadline, *, keep: bool) -> None:
        """The first rung: the sources themselves, all in one call."""
        limits = climb.search.limits
        start = deadline.clock()
        try:
            found = await self._ask(self._selector, climb, limits, deadline)
        except StageError as error:
            climb.lose(error.reason, answers=error.answered)
            if error.reason == errors.DEADLINE_EXCEEDED.name:
                climb.search_seconds = deadline.clock() - start
            return
        climb.search_seconds = deadline.clock() - start if found else None
        climb.stands = {name: Stand(Rung.RUNG_PRIMARY, passages) for name, passages in found.items()}
        if keep and found:
            # The caller does not wait for the write.
            self._spawn(self._store(climb.search, found, climb.question_vector, climb.corpus_version))

    async def _ask(
        self, stage: Selector, climb: Climb, limits: Mapping[str, int], deadline: Deadline
    ) -> dict[str, Passages]:
        """Searches sources in one call. Returns what those gave that answered, and notes why the others did not."""
        seconds = deadline.remaining()
        await self._breakers.trials_over(limits, within=_TRIAL_SHARE * seconds)
        with self._breakers.attempt(limits) as attempt:
            asked = {name: limits[name] for name in attempt.names}
            climb.reasons |= {name: errors.STAGE_UNAVAILABLE.name for name in limits if name not in asked}
            if not asked:
                return {}
            try:
                response = await stage.select(climb.search.request(asked, seconds=seconds), timeout=seconds)
            except StageError as error:
                # The selector is there, and says that none of them is.
                for name in attempt.names if error.answered else ():
                    if seconds * climb.search.sources[name].deadline_share >= FAIR_SECONDS:
                        attempt.failed(name)
                raise
            # A source that the answer does not speak of failed in a way that nobody foresaw.
            reasons = dict.fromkeys(asked, errors.INTERNAL.name)
            for outcome in response.sources:
                name, reason = outcome.source, outcome.error_reason
                if name not in attempt.names:
                    continue
                reasons[name] = reason
                climb.durations[name] = outcome.duration
                metrics.SOURCE_DURATION.labels(name).observe(outcome.duration.ToNanoseconds() / 1e9)
                if not reason:
                    attempt.succeeded(name)
                elif not _in_a_hurry(reason, seconds * climb.search.sources[name].deadline_share):
                    attempt.failed(name)
        climb.reasons |= {name: reason for name, reason in reasons.items() if reason}
        climb.question_vector = climb.question_vector or response.question_vector
        climb.corpus_version = climb.corpus_version or response.corpus_version
        return {
            name: [passage for passage in response.passages if passage.found_by == name]
            for name, reason in reasons.items()
            if not reason
        }

    async def _look_up(self, climb: Climb, deadline: Deadline) -> None:
        """The second rung: what a source last gave for this question."""
        lost = climb.lost
        keys = [climb.search.cache_key(name) for name in lost]
        try:
            async with asyncio.timeout(deadline.share(_CACHE_SHARE).remaining()):
                found = await self._cache.find(climb.search.principal.tenant, keys)
        except (CacheUnavailableError, TimeoutError) as error:
            _log.warning("selections_unavailable", error=type(error).__name__)
            return
        for name, stored in zip(lost, found, strict=True):
            if stored is not None:
                words = "what it last gave for this question"
                climb.stands[name] = Stand(Rung.RUNG_CACHE, list(stored.passages), words)
                climb.question_vector = climb.question_vector or stored.question_vector

    async def _search_backups(self, climb: Climb, deadline: Deadline) -> None:
        """The third rung, for required sources: the source that is declared as the backup."""
        search = climb.search
        backups = {
            name: backup
            for name in climb.lost
            if search.required(name) and (backup := search.sources[name].backup) is not None
        }
        limits: dict[str, int] = {}
        for name, backup in backups.items():
            if backup not in search.limits:
                limits[backup] = max(limits.get(backup, 0), search.limits[name])
        found: dict[str, Passages] = {}
        if limits and climb.answers:
            try:
                found = await self._ask(self._backup, climb, limits, deadline.share(TIME_SHARES[Step.SEARCH]))
            except (StageError, errors.ScicError) as error:
                _log.warning("backup_failed", reason=error.reason)
        for name, backup in backups.items():
            if backup in found:
                words = f"its backup, {backup}, which was searched in its place"
                climb.stands[name] = Stand(Rung.RUNG_BACKUP, found[backup], words)
            elif backup in climb.stands:
                words = f"its backup, {backup}, which was asked for too"
                climb.stands[name] = Stand(Rung.RUNG_BACKUP, climb.stands[backup].passages, words)

    async def _store(
        self, search: Search, found: Mapping[str, Passages], question_vector: bytes, corpus_version: int
    ) -> None:
        # No cache holds what the profile masks.
        holds = search.recipe.screen.holds
        selections = {
            search.cache_key(name): selector.SelectResponse(
                passages=[scored for scored in passages if not holds(scored.passage)],
                question_vector=question_vector,
                corpus_version=corpus_version,
            )
            for name, passages in found.items()
        }
        try:
            await self._cache.store(search.principal.tenant, selections)
        except CacheUnavailableError as error:
            _log.warning("selections_not_stored", error=str(error))


def _in_a_hurry(reason: str, seconds: float) -> bool:
    """Whether a source failed only since it had no time to speak of."""
    return reason == errors.DEADLINE_EXCEEDED.name and seconds < FAIR_SECONDS
