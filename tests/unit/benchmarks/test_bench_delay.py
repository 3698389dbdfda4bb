"""The proxy that holds back."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from benchmarks.gateway.delay import DelayingProxy, delaying_proxy


@pytest.fixture
async def proxy() -> AsyncIterator[tuple[DelayingProxy, int]]:
    """Before a server that sends back what it gets, and hangs up at the word `bye`."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (line := await reader.readline()) and line != b"bye\n":
            writer.write(line)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, delaying_proxy(int(server.sockets[0].getsockname()[1])) as made:
        yield made


async def test_all_bytes_come_through_in_their_order(proxy) -> None:
    _, port = proxy
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [f"{number} {'x' * number}\n".encode() for number in range(500)]
    writer.writelines(lines)
    assert [await reader.readline() for _ in lines] == lines
    writer.close()


async def test_each_way_takes_the_delay_from_when_it_is_told(proxy) -> None:
    made, port = proxy
    loop = asyncio.get_running_loop()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"at once\n")
    assert await reader.readline() == b"at once\n"
    made.seconds = 0.1
    start = loop.time()
    for word in (b"one\n", b"two\n"):
        writer.write(word)
        assert await reader.readline() == word
    assert loop.time() - start >= 4 * 0.1
    writer.close()


async def test_a_connection_that_ends_on_one_side_ends_on_the_other(proxy) -> None:
    _, port = proxy
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"bye\n")
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()


async def test_a_server_that_is_away_is_a_connection_that_ends() -> None:
    closed = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    port = int(closed.sockets[0].getsockname()[1])
    closed.close()
    await closed.wait_closed()
    async with delaying_proxy(port) as (_, own):
        reader, writer = await asyncio.open_connection("127.0.0.1", own)
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
