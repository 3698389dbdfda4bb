"""The embedded store: the store port over one corpus a tenant, off the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

from services.chassis.work import on_thread
from services.selector.embedded.corpus import Corpus
from services.selector.embedded.database import create, meaning
from services.selector.errors import StoreError
from services.selector.page_token import listed_after, page_of
from services.selector.query import CorpusStats, Removal, Selection, SourceOutcome
from services.selector.tenant import checked_tenant, is_tenant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from services.selector.caller import Caller
    from services.selector.passage import Document, EmbeddingModel, IndexedDocument
    from services.selector.ports import Rank
    from services.selector.query import DocumentPage, Query, StaleDocument, Written

_Result = TypeVar("_Result")
_NOTHING = Removal((), 0, 0, 0)


class EmbeddedStore:
    """Implements `Store` on the local disk. Any number of processes may share the folder.

    Args:
        data_dir: the databases are `corpus/<tenant>.db` in it.
        readers: threads that search.
        max_open: tenants whose snapshot is kept in memory; the one not used for longest makes room.
        busy_timeout: seconds a write waits for another process's write, at most.
        clock: the current time, with its zone.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        readers: int = 2,
        max_open: int = 32,
        busy_timeout: float = 5.0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._folder = data_dir / "corpus"
        self._max_open = max_open
        self._busy_timeout = busy_timeout
        self._clock = clock
        self._open: OrderedDict[str, Corpus] = OrderedDict()
        self._opening = threading.Lock()
        # Apart, so that writes which wait for another process do not keep searches waiting.
        self._readers = ThreadPoolExecutor(readers, "corpus-read")
        self._writers = ThreadPoolExecutor(2, "corpus-write")
        # Takes a part of a search of a large corpus.
        self._helper = ThreadPoolExecutor(1, "corpus-score")

    async def index(
        self, tenant: str, documents: Sequence[IndexedDocument], model: EmbeddingModel, caller: Caller
    ) -> Written:
        """See `Store.index`."""
        path = self._path(tenant)

        def work() -> Written:
            if not path.exists():
                with meaning(tenant, path):
                    create(tenant, path)
            return self._corpus(tenant, path).index(documents, model, caller)

        return await asyncio.get_running_loop().run_in_executor(self._writers, work)

    async def delete(self, tenant: str, document_ids: Sequence[str], caller: Caller) -> Removal:
        """See `Store.delete`."""
        return await self._write(tenant, lambda corpus: corpus.delete(document_ids, caller), _NOTHING)

    async def erase_subject(self, tenant: str, subject: str) -> Removal:
        """See `Store.erase_subject`; raises `StoreBusyError` when it is removed, but not yet without a trace."""
        return await self._write(tenant, lambda corpus: corpus.erase_subject(subject), _NOTHING)

    async def erase_tenant(self, tenant: str) -> Removal:
        """See `Store.erase_tenant`; raises `StoreBusyError` when it is removed, but not yet without a trace."""
        return await self._write(tenant, Corpus.erase, _NOTHING)

    async def remove_expired(self, tenant: str, now: datetime) -> Removal:
        """See `Store.remove_expired`."""
        return await self._write(tenant, lambda corpus: corpus.remove_expired(now), _NOTHING, keep=False)

    async def tenants(self) -> Sequence[str]:
        """See `Store.tenants`; one whose corpus cannot be read is among them."""
        return await asyncio.get_running_loop().run_in_executor(self._writers, self._tenants)

    async def unchanged(self, tenant: str, fingerprints: Sequence[tuple[str, str]], caller: Caller) -> dict[str, int]:
        """See `Store.unchanged`."""
        return await self._read(tenant, lambda corpus: corpus.unchanged(fingerprints, caller), {})

    async def get(self, tenant: str, document_id: str, caller: Caller) -> Document | None:
        """See `Store.get`."""
        return await self._read(tenant, lambda corpus: corpus.get(document_id, caller), None)

    async def list(
        self, tenant: str, caller: Caller, *, source: str = "", page_token: str = "", page_size: int
    ) -> DocumentPage:
        """See `Store.list`."""
        after = listed_after(page_token, source)
        nothing: Sequence[Document] = []
        found = await self._read(tenant, lambda corpus: corpus.page(caller, source, after, page_size + 1), nothing)
        return page_of(found, page_size, source)

    async def stats(self, tenant: str, caller: Caller) -> CorpusStats:
        """See `Store.stats`."""
        return await self._read(tenant, lambda corpus: corpus.stats(caller), CorpusStats((), 0, None))

    async def corpus_version(self, tenant: str) -> int:
        """See `Store.corpus_version`."""
        return await self._read(tenant, Corpus.version, 0)

    async def model(self, tenant: str) -> EmbeddingModel | None:
        """See `Store.model`."""
        return await self._read(tenant, Corpus.model, None)

    async def search(self, tenant: str, query: Query, rank: Rank) -> Selection:
        """See `Store.search`."""
        started = perf_counter()
        empty = Selection((), 0, tuple(SourceOutcome(source.source, 0.0) for source in query.sources))
        return await self._read(tenant, lambda corpus: corpus.search(query, rank, started), empty)

    async def stale(self, tenant: str, model: EmbeddingModel, limit: int) -> Sequence[StaleDocument]:
        """See `Store.stale`."""
        return await self._write(tenant, lambda corpus: corpus.stale(model, limit), [], keep=False)

    async def add_vectors(
        self, tenant: str, model: EmbeddingModel, vectors: Sequence[tuple[StaleDocument, NDArray[np.float32]]]
    ) -> None:
        """See `Store.add_vectors`."""
        await self._write(tenant, lambda corpus: corpus.add_vectors(model, vectors), None, keep=False)

    async def adopt(self, tenant: str, model: EmbeddingModel) -> bool:
        """See `Store.adopt`; a tenant without a corpus takes any model."""
        return await self._write(tenant, lambda corpus: corpus.adopt(model), True, keep=False)

    async def close(self) -> None:
        """Finish what was begun and close all files. The store cannot be used afterwards."""
        await asyncio.to_thread(self._readers.shutdown)
        await asyncio.to_thread(self._writers.shutdown)
        await asyncio.to_thread(self._helper.shutdown)
        for corpus in self._open.values():
            corpus.close()
        self._open.clear()

    async def _read(self, tenant: str, work: Callable[[Corpus], _Result], nothing: _Result) -> _Result:
        """Do the work in a thread, or return `nothing` for a tenant without a corpus: reading makes no files."""
        path = self._path(tenant)

        def attempt() -> _Result:
            return work(self._corpus(tenant, path)) if path.exists() else nothing

        return await on_thread(self._readers, attempt)

    async def _write(
        self, tenant: str, work: Callable[[Corpus], _Result], nothing: _Result, *, keep: bool = True
    ) -> _Result:
        """The same among the writers; without `keep`, a corpus that was closed is closed again afterwards."""
        path = self._path(tenant)

        def attempt() -> _Result:
            if not path.exists():
                return nothing
            if keep:
                return work(self._corpus(tenant, path))
            with self._visit(tenant, path) as corpus:
                return work(corpus)

        return await asyncio.get_running_loop().run_in_executor(self._writers, attempt)

    def _tenants(self) -> Sequence[str]:
        """Tenants with documents."""
        names = (path.stem for path in self._folder.glob("*.db"))
        return sorted(name for name in names if is_tenant(name) and self._has_documents(name))

    def _has_documents(self, tenant: str) -> bool:
        try:
            with self._visit(tenant, self._path(tenant)) as corpus:
                return corpus.model() is not None
        except StoreError:
            return True

    def _path(self, tenant: str) -> Path:
        return self._folder / f"{checked_tenant(tenant)}.db"

    def _corpus(self, tenant: str, path: Path) -> Corpus:
        with self._opening:
            corpus = self._open.get(tenant)
            if corpus is None:
                corpus = self._open[tenant] = Corpus(tenant, path, self._clock, self._busy_timeout, self._helper)
            self._open.move_to_end(tenant)
            if len(self._open) > self._max_open:
                self._open.popitem(last=False)[1].close()
            return corpus

    @contextmanager
    def _visit(self, tenant: str, path: Path) -> Iterator[Corpus]:
        """A corpus for work that goes through all tenants: no tenant that is searched has to make room for it."""
        with self._opening:
            corpus = self._open.get(tenant)
        if corpus is not None:
            yield corpus
            return
        corpus = Corpus(tenant, path, self._clock, self._busy_timeout, self._helper)
        try:
            yield corpus
        finally:
            corpus.close()
