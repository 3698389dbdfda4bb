"""Versions and labels as objects: in a folder, or in a bucket.

    {tenant}/profiles/{name}/versions/{version}                a ProfileVersion in bytes
    {tenant}/profiles/{name}/labels/{label}/{generation}       a JSON object: the label, and whose the buckets are

Nothing is changed in place: a version is named by its content, and each move of a label is a new object whose name only
one writer can take. An object is there whole or not at all, also where the writer dies.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Literal

import obstore
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import DecodeError
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import ObjectStore

from scic import errors
from scic.gateway.v1 import profile_service_pb2 as pb
from services.chassis.logs import get_logger
from services.gateway.profiles.placement import Placement, placement

_log = get_logger(__name__)

_TIMEOUT_SECONDS = 2.0
"""For one operation. The library itself would try again for minutes."""

_RACES = 8
"""How often a label is looked up again whose newest generation was gone when it was read."""


class ObjectProfileStore:
    """A ProfileStore on an object storage. Needs listings that show what was written before: all of these have them."""

    def __init__(self, storage: ObjectStore, *, timeout_seconds: float = _TIMEOUT_SECONDS) -> None:
        self._storage = storage
        self._timeout_seconds = timeout_seconds

    async def names(self, tenant: str) -> Sequence[str]:
        """See `ProfileStore`."""
        async with self._asked():
            listing = await obstore.list_with_delimiter_async(self._storage, f"{tenant}/profiles")
        return sorted(prefix.rpartition("/")[2] for prefix in listing["common_prefixes"])

    async def versions(self, tenant: str, name: str) -> Mapping[str, datetime]:
        """See `ProfileStore`."""
        return await self._list(f"{tenant}/profiles/{name}/versions")

    async def read_version(self, tenant: str, name: str, version: str) -> pb.ProfileVersion | None:
        """See `ProfileStore`."""
        path = _version_path(tenant, name, version)
        content = await self._get(path)
        try:
            return None if content is None else pb.ProfileVersion.FromString(content)
        except DecodeError:
            raise _unreadable(path) from None

    async def create_version(self, tenant: str, version: pb.ProfileVersion) -> bool:
        """See `ProfileStore`."""
        return await self._put(_version_path(tenant, version.name, version.version), _bytes_of(version), "create")

    async def write_version(self, tenant: str, version: pb.ProfileVersion) -> None:
        """See `ProfileStore`."""
        await self._put(_version_path(tenant, version.name, version.version), _bytes_of(version), "overwrite")

    async def delete_version(self, tenant: str, name: str, version: str) -> None:
        """See `ProfileStore`."""
        await self._delete(_version_path(tenant, name, version))

    async def generations(self, tenant: str, name: str) -> Mapping[str, Sequence[int]]:
        """See `ProfileStore`."""
        found = defaultdict[str, list[int]](list)
        for path in sorted(await self._list(f"{tenant}/profiles/{name}/labels")):
            label, _, generation = path.partition("/")
            if generation.isdecimal():  # whoever looks at a folder may leave files in it
                found[label].append(int(generation))
        return dict(found)

    async def read_generation(self, tenant: str, name: str, label: str, generation: int) -> Placement | None:
        """See `ProfileStore`."""
        path = _generation_path(tenant, name, label, generation)
        content = await self._get(path)
        try:
            return None if content is None else _placement_of(content)
        except (ValueError, KeyError, ParseError):
            raise _unreadable(path) from None

    async def create_generation(self, tenant: str, placement: Placement) -> bool:
        """See `ProfileStore`."""
        label = placement.label
        content = {"label": MessageToDict(label, preserving_proto_field_name=True), "runs": placement.runs}
        path = _generation_path(tenant, label.name, label.label, label.generation)
        return await self._put(path, json.dumps(content).encode(), "create")

    async def delete_generation(self, tenant: str, name: str, label: str, generation: int) -> None:
        """See `ProfileStore`."""
        await self._delete(_generation_path(tenant, name, label, generation))

    async def read_label(self, tenant: str, name: str, label: str) -> Placement | None:
        """See `ProfileStore`."""
        for _ in range(_RACES):
            listed = await self._list(f"{tenant}/profiles/{name}/labels/{label}")
            generations = [generation for generation in listed if generation.isdecimal()]
            if not generations:
                return None
            found = await self.read_generation(tenant, name, label, int(max(generations)))
            if found is not None:
                return found
        raise errors.STORAGE_UNAVAILABLE.error("a label moves faster than it can be read")

    async def is_newest(self, tenant: str, placement: Placement) -> bool:
        """See `ProfileStore`."""
        label = placement.label
        # In this order: moves are forgotten oldest first, so while this one is there the next one was never forgotten.
        for generation, expected in ((label.generation + 1, False), (label.generation, True)):
            if await self._exists(_generation_path(tenant, label.name, label.label, generation)) is not expected:
                return False
        return True

    async def erase(self, tenant: str) -> int:
        """See `ProfileStore`."""
        folder = f"{tenant}/profiles"
        paths = await self._list(folder)
        for path in paths:
            await self._delete(f"{folder}/{path}")
        return len(paths)

    async def _exists(self, path: str) -> bool:
        async with self._asked():
            try:
                await obstore.head_async(self._storage, path)
            except FileNotFoundError:
                return False
            return True

    async def _list(self, folder: str) -> dict[str, datetime]:
        """What is below a folder, by its path from there, and when it was written."""
        async with self._asked():
            listing = await obstore.list(self._storage, folder).collect_async()
        return {entry["path"].removeprefix(f"{folder}/"): entry["last_modified"] for entry in listing}

    async def _get(self, path: str) -> bytes | None:
        async with self._asked():
            try:
                found = await obstore.get_async(self._storage, path)
                return bytes(await found.bytes_async())
            except FileNotFoundError:
                return None

    async def _put(self, path: str, content: bytes, mode: Literal["create", "overwrite"]) -> bool:
        async with self._asked():
            try:
                # In one piece: a `create` in parts would not be atomic.
                await obstore.put_async(self._storage, path, content, mode=mode, use_multipart=False)
            except AlreadyExistsError:
                return False
            return True

    async def _delete(self, path: str) -> None:
        async with self._asked():
            with suppress(FileNotFoundError):
                await obstore.delete_async(self._storage, path)

    @asynccontextmanager
    async def _asked(self) -> AsyncIterator[None]:
        """Bounds an operation in time. Raises ScicError STORAGE_UNAVAILABLE where it fails."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                yield
        except (BaseError, OSError) as error:
            # Its text may quote URLs with signatures.
            _log.warning("storage_failed", error_type=type(error).__name__)
            raise errors.STORAGE_UNAVAILABLE.error("the storage of profiles does not answer") from error


def _version_path(tenant: str, name: str, version: str) -> str:
    return f"{tenant}/profiles/{name}/versions/{version}"


def _generation_path(tenant: str, name: str, label: str, generation: int) -> str:
    return f"{tenant}/profiles/{name}/labels/{label}/{generation:010d}"


def _bytes_of(version: pb.ProfileVersion) -> bytes:
    return version.SerializeToString(deterministic=True)


def _placement_of(content: bytes) -> Placement:
    stored = json.loads(content)
    return placement(ParseDict(stored["label"], pb.Label()), ((index, count) for index, count in stored["runs"]))


def _unreadable(path: str) -> errors.ScicError:
    _log.error("unreadable_object", path=path)
    return errors.STORAGE_UNAVAILABLE.error("the storage of profiles holds an object that cannot be read")
