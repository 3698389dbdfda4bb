"""What is too much for one job, in several."""

from collections.abc import AsyncIterable, AsyncIterator, Iterator
from itertools import count
from typing import Final, TypeVar

from google.protobuf.message import Message

MAX_ITEMS: Final = 1000
"""Items that a job may have."""

MAX_BYTES: Final = 4 << 20
"""Bytes that a job may have, unless the server takes more."""

_FRAME_BYTES: Final = 5
"""What an item costs beside itself: its tag, and its length, which is below 2^28."""

_Item = TypeVar("_Item", bound=Message)


def size_of(item: Message) -> int:
    """Bytes of an item in its job."""
    return item.ByteSize() + _FRAME_BYTES


async def batches(items: AsyncIterable[_Item]) -> AsyncIterator[list[_Item]]:
    """The items in their order, as many together as fit a job; one that fits none is alone."""
    batch: list[_Item] = []
    room = MAX_BYTES
    async for item in items:
        size = size_of(item)
        if batch and (len(batch) == MAX_ITEMS or size > room):
            yield batch
            batch, room = [], MAX_BYTES
        batch.append(item)
        room -= size
    if batch:
        yield batch


def request_ids(name: str) -> Iterator[str]:
    """Names for the jobs of one command: `NAME`, `NAME.2`, `NAME.3` …"""
    yield name
    for number in count(2):
        yield f"{name}.{number}"
