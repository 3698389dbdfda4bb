"""Segments in object storage: a folder or a bucket."""

import asyncio
import time
from collections.abc import Awaitable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, ObjectStore

from services.gateway.ledger.archive import ArchiveUnavailableError, SegmentMissingError
from services.gateway.ledger.entry import Entry
from services.gateway.ledger.segment import header_size, unpack

_Result = TypeVar("_Result")

_FIRST_READ = 32_768
"""Bytes that most headers fit in: then one read is enough."""

_REMOVAL_BATCH = 1_000

_LEFTOVER_SECONDS = 60.0
"""Longer than any write lasts."""


class ObjectArchive:
    """Segments under `{tenant}/ledger/`. A single write is atomic in every store that obstore knows.

    Args:
        store: the storage.
        timeout: seconds that one access may take; what is late is cancelled.
    """

    def __init__(self, store: ObjectStore, *, timeout: float = 5.0) -> None:
        self._store = store
        self._timeout = timeout

    async def put(self, tenant: str, segment: str, data: bytes) -> None:
        """See Archive."""
        # One that exists: an attempt that was thought lost had come through, as a name belongs to one content.
        await self._create(_path(tenant, segment), data)

    async def replace(self, tenant: str, segment: str, data: bytes) -> None:
        """See Archive."""
        await self._answer(obstore.put_async(self._store, _path(tenant, segment), data, mode="overwrite"))

    async def entries(self, tenant: str, segment: str) -> list[Entry]:
        """See Archive."""
        data = await self.read_part(tenant, segment, 0, _FIRST_READ)
        size = header_size(data)
        if size > len(data):
            data += await self.read_part(tenant, segment, len(data), size - len(data))
        # Up to a millisecond, and an erasure reads thousands of them.
        return await asyncio.to_thread(unpack, data, segment)

    async def read(self, tenant: str, segment: str) -> bytes:
        """See Archive."""

        async def get() -> bytes:
            result = await obstore.get_async(self._store, _path(tenant, segment))
            return bytes(await result.bytes_async())

        return await self._read(get())

    async def read_part(self, tenant: str, segment: str, offset: int, length: int) -> bytes:
        """See Archive."""
        part = obstore.get_range_async(self._store, _path(tenant, segment), start=offset, length=length)
        return bytes(await self._read(part))

    async def note(self, tenant: str, name: str) -> bool:
        """See Archive."""
        return await self._create(_note(tenant, name), b"")

    async def drop_note(self, tenant: str, name: str) -> None:
        """See Archive."""
        await self._remove_one(_note(tenant, name))

    async def tenants(self) -> list[str]:
        """See Archive."""
        return await self._folders("")

    async def hours(self, tenant: str) -> list[str]:
        """See Archive."""
        days = await self._folders(f"{tenant}/ledger/")
        hours = [f"{day}/{hour}" for day in days for hour in await self._folders(f"{tenant}/ledger/{day}/")]
        return sorted(hours, reverse=True)

    async def segments(self, tenant: str, hour: str) -> Sequence[str]:
        """See Archive."""

        async def names() -> list[str]:
            listing = obstore.list(self._store, f"{_path(tenant, hour)}/", chunk_size=1_000)
            return [meta["path"].rpartition("/")[2] async for chunk in listing for meta in chunk]

        return [f"{hour}/{name}" for name in sorted(await self._answer(names()), reverse=True)]

    async def remove(self, tenant: str, segments: Iterable[str]) -> None:
        """See Archive."""
        paths = [_path(tenant, segment) for segment in segments]
        for begin in range(0, len(paths), _REMOVAL_BATCH):
            batch = paths[begin : begin + _REMOVAL_BATCH]
            try:
                await self._read(obstore.delete_async(self._store, batch))
            except SegmentMissingError:
                # A folder stops at the first that another gateway has removed meanwhile.
                for path in batch:
                    await self._remove_one(path)

    async def tidy(self) -> None:
        """See Archive. A folder keeps what was being written in files with a `#`, which no listing shows."""
        if isinstance(self._store, LocalStore) and self._store.prefix is not None:
            await asyncio.to_thread(_remove_leftovers, Path(self._store.prefix))

    async def _remove_one(self, path: str) -> None:
        # Another gateway may have done it.
        with suppress(SegmentMissingError):
            await self._read(obstore.delete_async(self._store, path))

    async def _folders(self, prefix: str) -> list[str]:
        listing = await self._answer(obstore.list_with_delimiter_async(self._store, prefix or None))
        return [path.rpartition("/")[2] for path in listing["common_prefixes"]]

    async def _create(self, path: str, data: bytes) -> bool:
        try:
            await self._answer(obstore.put_async(self._store, path, data, mode="create"))
        except AlreadyExistsError:
            return False
        return True

    async def _answer(self, access: Awaitable[_Result]) -> _Result:
        """What an access gives that needs nothing to be there but the storage itself."""
        try:
            return await self._read(access)
        except SegmentMissingError as error:
            raise ArchiveUnavailableError("storage: there is no such bucket or folder") from error

    async def _read(self, access: Awaitable[_Result]) -> _Result:
        """What an access to something that may be missing gives."""
        try:
            async with asyncio.timeout(self._timeout):
                return await access
        except AlreadyExistsError:
            raise
        except FileNotFoundError as error:
            raise SegmentMissingError("there is no such segment") from error
        except (BaseError, OSError) as error:
            # TimeoutError is an OSError.
            raise ArchiveUnavailableError(f"storage: {type(error).__name__}") from error


def _path(tenant: str, name: str) -> str:
    return f"{tenant}/ledger/{name}"


def _note(tenant: str, name: str) -> str:
    return f"{tenant}/ledger-erasures/{name}"


def _remove_leftovers(folder: Path) -> None:
    for path in folder.glob("*/ledger/*/*/*#*"):
        # Its writer may have ended, or another gateway removed it, meanwhile.
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < time.time() - _LEFTOVER_SECONDS:
                path.unlink()
