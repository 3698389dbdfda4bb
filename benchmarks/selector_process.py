"""A selector in a process of its own, on a free port."""

import asyncio
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

import psutil
import uvloop

from services.chassis.logs import configure_logs
from services.chassis.server import start
from services.selector.app import build
from services.selector.settings import SelectorSettings

_START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Selector:
    """A running selector."""

    address: str
    """host:port"""
    process: psutil.Process


@contextmanager
def selector_process(settings: SelectorSettings) -> Iterator[Selector]:
    """Run a selector for as long as the context lasts."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(settings, sender), daemon=True)
    process.start()
    try:
        if not receiver.poll(_START_SECONDS):
            raise TimeoutError(f"the selector did not start within {_START_SECONDS:g} s")
        yield Selector(f"127.0.0.1:{receiver.recv()}", psutil.Process(process.pid))
    finally:
        process.terminate()
        process.join()


def _serve(settings: SelectorSettings, port: Connection) -> None:
    configure_logs(settings.log_level, service="selector")
    uvloop.run(_serve_until_terminated(settings, port))


async def _serve_until_terminated(settings: SelectorSettings, port: Connection) -> None:
    async with start(build(settings), settings) as bound:
        port.send(bound)
        await asyncio.Event().wait()
