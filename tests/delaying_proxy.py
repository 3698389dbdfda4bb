"""A TCP proxy that delays what it carries: a network, or a server, that is slow and not gone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit, urlunsplit

_READ_BYTES = 65_536


class DelayingProxy:
    """Carries bytes to a port on this host and back, each way `delay` seconds late, in order."""

    def __init__(self, target_port: int) -> None:
        self.port = 0
        self.delay = 0.0
        """Seconds that each way takes; a change holds for what comes in from then on."""
        self.connections = 0
        """How many were made."""
        self._target_port = target_port

    def url(self, target: str) -> str:
        """The same URL through the proxy."""
        parts = urlsplit(target)
        credentials, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{credentials}{at}127.0.0.1:{self.port}"))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carries one connection until either side closes it."""
        self.connections += 1
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.close()
            return
        ways = [asyncio.create_task(self._carry(reader, back)), asyncio.create_task(self._carry(there, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            writer.close()
            back.close()

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        late: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        async def deliver() -> None:
            while True:
                at, data = await late.get()
                await asyncio.sleep(at - loop.time())
                sink.write(data)
                await sink.drain()

        delivery = asyncio.create_task(deliver())
        try:
            with suppress(OSError):
                while data := await source.read(_READ_BYTES):
                    late.put_nowait((loop.time() + self.delay, data))
        finally:
            delivery.cancel()


@asynccontextmanager
async def delaying_proxy(target_port: int) -> AsyncIterator[DelayingProxy]:
    """A proxy on a free port for as long as the context lasts."""
    proxy = DelayingProxy(target_port)
    connections: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(proxy.serve(reader, writer))
        connections.add(task)
        task.add_done_callback(connections.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for task in connections:
            task.cancel()
        if connections:
            await asyncio.wait(connections)
