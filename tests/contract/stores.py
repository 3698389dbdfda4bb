"""The stores that the contract is held against. A new one joins by a line in STORES."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from services.selector.embedded import EmbeddedStore
from tests.weaviate import open_weaviate

if TYPE_CHECKING:
    from contextlib import AsyncExitStack
    from pathlib import Path

    from services.selector.ports import Store


class Open(Protocol):
    """Opens a store on the data of a folder, or of what stands for it, as another process would."""

    async def __call__(self, stack: AsyncExitStack, folder: Path, /) -> Store: ...


Opener = Callable[[], Awaitable["Store"]]


class Tested(NamedTuple):
    open: Open
    examples: int
    """Random histories that a property is tried with."""


async def embedded(stack: AsyncExitStack, folder: Path) -> Store:
    store = EmbeddedStore(folder)
    stack.push_async_callback(store.close)
    return store


STORES = {"embedded": Tested(embedded, examples=30), "weaviate": Tested(open_weaviate, examples=5)}
