"""The embedded store: the store port over one corpus a tenant, off the event loop."""

from __future__ import annotations

import asyncio
import re
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from services.selector.embedded.corpus import Corpus
from services.selector.embedded.database import create, meaning
from services.selector.errors import InvalidPageTokenError, InvalidTenantError
from services.selector.query import DocumentPage, Selection

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from services.selector.passage import Document, EmbeddingModel, IndexedDocument
    from services.selector.ports import Rank
    from services.selector.query import Query

_TENANT = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_Result = TypeVar("_Result")


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

    async def index(self, tenant: str, documents: Sequence[IndexedDocument], model: EmbeddingModel) -> int:
        """See `Store.index`."""
        path = self._path(tenant)

        def work() -> int:
            if not path.exists():
                with meaning(tenant, path):
                    create(tenant, path)
            return self._corpus(tenant, path).index(documents, model)

        return await asyncio.get_running_loop().run_in_executor(self._writers, work)

    async def delete(self, tenant: str, document_ids: Sequence[str]) -> tuple[list[str], int]:
        """See `Store.delete`."""
        return await self._run(self._writers, tenant, lambda corpus: corpus.delete(document_ids), ([], 0))

    async def unchanged(self, tenant: str, fingerprints: Sequence[tuple[str, str]]) -> dict[str, int]:
        """See `Store.unchanged`."""
        return await self._run(self._readers, tenant, lambda corpus: corpus.unchanged(fingerprints), {})

    async def get(self, tenant: str, document_id: str) -> Document | None:
        """See `Store.get`."""
        return await self._run(self._readers, tenant, lambda corpus: corpus.get(document_id), None)

    async def list(self, tenant: str, *, source: str = "", page_token: str = "", page_size: int) -> DocumentPage:
        """See `Store.list`."""
        after = _read_token(page_token, source) if page_token else ""
        nothing: list[Document] = []
        found = await self._run(
            self._readers, tenant, lambda corpus: corpus.page(source, after, page_size + 1), nothing
        )
        documents = found[:page_size]
        return DocumentPage(documents, _make_token(documents[-1].document_id, source) if len(found) > page_size else "")

    async def corpus_version(self, tenant: str) -> int:
        """See `Store.corpus_version`."""
        return await self._run(self._readers, tenant, Corpus.version, 0)

    async def search(self, tenant: str, query: Query, rank: Rank) -> Selection:
        """See `Store.search`."""
        return await self._run(self._readers, tenant, lambda corpus: corpus.search(query, rank), Selection((), 0))

    async def close(self) -> None:
        """Finish what was begun and close all files. The store cannot be used afterwards."""
        await asyncio.to_thread(self._readers.shutdown)
        await asyncio.to_thread(self._writers.shutdown)
        for corpus in self._open.values():
            corpus.close()
        self._open.clear()

    async def _run(
        self, executor: ThreadPoolExecutor, tenant: str, work: Callable[[Corpus], _Result], nothing: _Result
    ) -> _Result:
        """Do the work in a thread, or return `nothing` for a tenant without a corpus: reading makes no files."""
        path = self._path(tenant)

        def attempt() -> _Result:
            return work(self._corpus(tenant, path)) if path.exists() else nothing

        return await asyncio.get_running_loop().run_in_executor(executor, attempt)

    def _path(self, tenant: str) -> Path:
        if not _TENANT.fullmatch(tenant):
            raise InvalidTenantError(f"{tenant!r} is no name of a tenant")
        return self._folder / f"{tenant}.db"

    def _corpus(self, tenant: str, path: Path) -> Corpus:
        with self._opening:
            corpus = self._open.get(tenant)
            if corpus is None:
                corpus = self._open[tenant] = Corpus(tenant, path, self._clock, self._busy_timeout)
            self._open.move_to_end(tenant)
            if len(self._open) > self._max_open:
                self._open.popitem(last=False)[1].close()
            return corpus


def _make_token(document_id: str, source: str) -> str:
    return urlsafe_b64encode(f"{source}\n{document_id}".encode()).decode()


def _read_token(token: str, source: str) -> str:
    try:
        of_source, _, document_id = urlsafe_b64decode(token.encode()).decode().partition("\n")
    except ValueError as error:
        raise InvalidPageTokenError("the page token was not made by this listing") from error
    if of_source != source or not document_id:
        raise InvalidPageTokenError("the page token belongs to a listing with other parameters")
    return document_id
