"""The ceiling: four bare grpc.aio processes that pass on as many bytes as the mesh does, and do nothing else.

The first takes BuildContext, calls the three others one after another, as the gateway calls its stages, and answers
with a reply that the mesh once gave. Messages are bytes on both sides: nothing is parsed. No Envoy stands between.
"""

import asyncio
import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

import grpc
import grpc.aio
import uvloop

_SERVICE = "scic.gateway.v1.ContextService"
_METHOD = "BuildContext"
_START_SECONDS = 20.0
_OPTIONS = (("grpc.max_receive_message_length", 64 << 20), ("grpc.so_reuseport", 0))


@dataclass(frozen=True, slots=True)
class Hop:
    """One call to a stage, in bytes."""

    request: int
    reply: int


@contextmanager
def bare_chain(hops: Sequence[Hop], reply: bytes) -> Iterator[str]:
    """Runs a process for the entry and one for each hop; yields the entry's host:port."""
    context = multiprocessing.get_context("spawn")
    started: list[multiprocessing.process.BaseProcess] = []

    def start(reply: bytes, calls: Sequence[tuple[str, int]]) -> str:
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_serve, args=(reply, calls, sender), daemon=True)
        process.start()
        started.append(process)
        if not receiver.poll(_START_SECONDS):
            raise TimeoutError(f"a bare server did not start within {_START_SECONDS:g} s")
        return f"127.0.0.1:{receiver.recv()}"

    try:
        stages = [(start(bytes(hop.reply), ()), hop.request) for hop in hops]
        yield start(reply, stages)
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.join()


def _serve(reply: bytes, calls: Sequence[tuple[str, int]], port: Connection) -> None:
    """Serve until terminated: call each (address, request size) in turn, then answer."""
    uvloop.run(_serve_until_terminated(reply, calls, port))


async def _serve_until_terminated(reply: bytes, calls: Sequence[tuple[str, int]], port: Connection) -> None:
    path = f"/{_SERVICE}/{_METHOD}"
    stubs: list[tuple[grpc.aio.UnaryUnaryMultiCallable[bytes, bytes], bytes]] = [
        (grpc.aio.insecure_channel(address, options=_OPTIONS).unary_unary(path), bytes(size)) for address, size in calls
    ]

    async def answer(_request: bytes, _context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        for stub, payload in stubs:
            await stub(payload)
        return reply

    server = grpc.aio.server(options=_OPTIONS)
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(answer)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, {_METHOD: handler}),))
    bound = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    port.send(bound)
    await asyncio.Event().wait()
