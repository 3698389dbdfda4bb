"""The connection to Weaviate: its gRPC protocol for objects, its client for the schema and for tenants.

Objects are read and written by the messages that the client itself generates. Its Python objects cost a search more
than Weaviate does, and it tries a call again by itself, which would hide from callers how long Weaviate is away.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import grpc
import grpc.aio
import httpx
import weaviate
from weaviate.auth import AuthApiKey
from weaviate.config import AdditionalConfig, Timeout
from weaviate.exceptions import WeaviateBaseError
from weaviate.proto.v1 import base_pb2, batch_delete_pb2, batch_pb2, weaviate_pb2_grpc

from services.selector.errors import StoreBusyError, StoreError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator, Sequence

    from weaviate import WeaviateAsyncClient
    from weaviate.proto.v1 import search_get_pb2

_MAX_MESSAGE_BYTES: Final = 256 * 1024 * 1024
_CAUSE: Final = 200
"""Characters of Weaviate's own message that an error takes."""
_MISSING: Final = ("tenant not found", "could not find class", "class not found", "no tenant found")
_CODE = grpc.StatusCode


@dataclass(frozen=True, slots=True)
class Address:
    """Where Weaviate is, and how long it may take."""

    url: str
    """http:// or https:// URL of its REST interface."""
    grpc_port: int = 50051
    """Port of its gRPC interface, on the same host, with TLS where the URL has it."""
    api_key: str | None = None
    read_timeout: float = 10.0
    """Seconds that one request which reads may take."""
    write_timeout: float = 30.0
    """Seconds that one request which writes may take."""


class NotThereError(StoreError):
    """Weaviate has no such collection, or the collection no such tenant: nothing was ever written there."""


class Connection:
    """Connects when it is first needed, and again whenever it was lost."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._metadata = (("authorization", f"Bearer {address.api_key}"),) if address.api_key else ()
        self._parts = urlsplit(address.url)
        self._channel: grpc.aio.Channel | None = None
        self._stub: Any = None
        self._client: WeaviateAsyncClient | None = None
        self._connecting = asyncio.Lock()

    async def search(self, request: search_get_pb2.SearchRequest) -> search_get_pb2.SearchReply:
        """Read objects. Raises NotThereError, StoreError."""
        call = self._open().Search(request, metadata=self._metadata, timeout=self._address.read_timeout)
        reply: search_get_pb2.SearchReply = await _answer(call)
        return reply

    async def insert(self, objects: Sequence[batch_pb2.BatchObject]) -> dict[int, str]:
        """Write objects, those there of the same id anew; return what was refused, by position, and why."""
        request = batch_pb2.BatchObjectsRequest(objects=objects, consistency_level=base_pb2.CONSISTENCY_LEVEL_QUORUM)
        call = self._open().BatchObjects(request, metadata=self._metadata, timeout=self._address.write_timeout)
        reply: batch_pb2.BatchObjectsReply = await _answer(call)
        return {error.index: error.error[:_CAUSE] for error in reply.errors}

    async def delete(self, collection: str, tenant: str, filters: base_pb2.Filters) -> None:
        """Remove all objects that match. Where there are none, nothing happens."""
        request = batch_delete_pb2.BatchDeleteRequest(
            collection=collection,
            tenant=tenant,
            filters=filters,
            consistency_level=base_pb2.CONSISTENCY_LEVEL_QUORUM,
        )
        while True:
            call = self._open().BatchDelete(request, metadata=self._metadata, timeout=self._address.write_timeout)
            try:
                reply: batch_delete_pb2.BatchDeleteReply = await _answer(call)
            except NotThereError:
                return
            if reply.failed:
                raise StoreUnavailableError(f"Weaviate did not remove {reply.failed} objects of {reply.matches}")
            # A call removes as many as the server's limit for queries allows.
            if reply.successful >= reply.matches:
                return

    async def client(self) -> WeaviateAsyncClient:
        """Weaviate's own client, connected. Use it within `weaviate_errors`."""
        async with self._connecting:
            if self._client is None:
                client = self._make_client()
                try:
                    with weaviate_errors():
                        await client.connect()
                except BaseException:
                    with suppress(WeaviateBaseError):
                        await client.close()
                    raise
                self._client = client
            return self._client

    async def ready(self) -> bool:
        """Tell whether Weaviate answers now."""
        try:
            client = await self.client()
            with weaviate_errors():
                return bool(await client.is_ready())
        except StoreError:
            return False

    async def close(self) -> None:
        """Close what is open."""
        if self._channel is not None:
            await self._channel.close()
            self._channel = self._stub = None
        if self._client is not None:
            with suppress(WeaviateBaseError):
                await self._client.close()
            self._client = None

    def _open(self) -> Any:
        if self._stub is None:
            options = [
                ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
                ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
                # A server that starts again is found within a second, not within two minutes.
                ("grpc.initial_reconnect_backoff_ms", 100),
                ("grpc.max_reconnect_backoff_ms", 1000),
            ]
            target = f"{self._host()}:{self._address.grpc_port}"
            if self._secure():
                self._channel = grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(), options)
            else:
                self._channel = grpc.aio.insecure_channel(target, options)
            self._stub = weaviate_pb2_grpc.WeaviateStub(self._channel)  # type: ignore[no-untyped-call] # generated
        return self._stub

    def _make_client(self) -> WeaviateAsyncClient:
        key, timeouts = self._address.api_key, self._address
        return weaviate.use_async_with_custom(
            http_host=self._host(),
            http_port=self._parts.port or (443 if self._secure() else 80),
            http_secure=self._secure(),
            grpc_host=self._host(),
            grpc_port=self._address.grpc_port,
            grpc_secure=self._secure(),
            auth_credentials=AuthApiKey(key) if key else None,
            additional_config=AdditionalConfig(
                timeout=Timeout(init=5, query=timeouts.read_timeout, insert=timeouts.write_timeout)
            ),
            skip_init_checks=True,
        )

    def _host(self) -> str:
        return self._parts.hostname or "127.0.0.1"

    def _secure(self) -> bool:
        return self._parts.scheme == "https"


async def _answer(call: Awaitable[Any]) -> Any:
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        details = error.details() or ""
        if any(sign in details.lower() for sign in _MISSING):
            raise NotThereError(details[:_CAUSE]) from error
        if error.code() is _CODE.RESOURCE_EXHAUSTED:
            raise StoreBusyError(f"Weaviate is overloaded: {details[:_CAUSE]}") from error
        raise StoreUnavailableError(f"Weaviate: {error.code().name}: {details[:_CAUSE]}") from error


@contextmanager
def weaviate_errors() -> Iterator[None]:
    """Gives the errors of Weaviate's client their meaning."""
    try:
        yield
    except (WeaviateBaseError, httpx.HTTPError, OSError) as error:
        if any(sign in str(error).lower() for sign in _MISSING):
            raise NotThereError(str(error)[:_CAUSE]) from error
        raise StoreUnavailableError(f"Weaviate: {type(error).__name__}: {str(error)[:_CAUSE]}") from error
