"""A TCP proxy that holds back what it passes on, both ways."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

_CHUNK = 1 << 16


@dataclass(slots=True)
class DelayingProxy:
    """Passes bytes on to a server of this machine, each chunk `seconds` after it came; it may change meanwhile."""

    port: int
    seconds: float = 0.0
    _connections: set[asyncio.Task[None]] = field(default_factory=set)

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Takes a connection."""
        task = asyncio.create_task(self._connect(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def close(self) -> None:
        """Ends all connections."""
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._pass(reader, upstream_writer), self._pass(upstream_reader, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Chunks overlap: the delay is that of a long line, not of a narrow one."""
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def read() -> None:
            chunk = b"first"
            while chunk:
                try:
                    chunk = await reader.read(_CHUNK)
                except OSError:
                    chunk = b""
                queue.put_nowait((loop.time() + self.seconds, chunk))

        reading = asyncio.create_task(read())
        try:
            with suppress(OSError):
                while (item := await queue.get())[1]:
                    await asyncio.sleep(max(0.0, item[0] - loop.time()))
                    writer.write(item[1])
                    await writer.drain()
        finally:
            reading.cancel()
            writer.close()


@asynccontextmanager
async def delaying_proxy(port: int) -> AsyncIterator[tuple[DelayingProxy, int]]:
    """Runs a proxy before `port`; yields it and its own port. It delays nothing until it is told."""
    proxy = DelayingProxy(port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    try:
        yield proxy, int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await proxy.close()
