"""Load by callers of our own, where each answer counts by itself: open loop and closed loop, nothing is retried."""

import asyncio
import itertools
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import grpc
import grpc.aio

from benchmarks.figures import percentile
from scic.gateway.v1.context_service_pb2 import BuildContextRequest, BuildContextResponse
from scic.gateway.v1.context_service_pb2_grpc import ContextServiceStub

TIMEOUT = 15.0
"""Seconds; that of the client."""
_CONNECTIONS = 8
_OPTIONS = (
    ("grpc.max_receive_message_length", 64 << 20),
    # Else all channels to one address are one connection.
    ("grpc.use_local_subchannel_pool", 1),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """What a caller got."""

    seconds: float
    """From the moment at which it was to be sent, not from that at which it was: a late sender is no excuse."""
    code: grpc.StatusCode
    degraded: bool = False

    @property
    def good(self) -> bool:
        """Whether there was an answer."""
        return self.code is grpc.StatusCode.OK

    @property
    def refused(self) -> bool:
        """Whether it was turned away, which is no error."""
        return self.code is grpc.StatusCode.RESOURCE_EXHAUSTED


class Callers:
    """Calls BuildContext over several connections."""

    def __init__(self, address: str, api_key: str, *, connections: int = _CONNECTIONS) -> None:
        self._metadata = (("authorization", f"Bearer {api_key}"),)
        self._channels = [grpc.aio.insecure_channel(address, options=_OPTIONS) for _ in range(connections)]
        self._stubs = itertools.cycle([ContextServiceStub(channel) for channel in self._channels])

    async def __aenter__(self) -> Self:
        await asyncio.gather(*(channel.channel_ready() for channel in self._channels))
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(channel.close() for channel in self._channels))

    async def build(self, request: BuildContextRequest) -> tuple[grpc.StatusCode, BuildContextResponse | None]:
        """The status, and the reply where it is OK."""
        try:
            reply = await next(self._stubs).BuildContext(request, metadata=self._metadata, timeout=TIMEOUT)
        except grpc.aio.AioRpcError as error:
            return error.code(), None
        return grpc.StatusCode.OK, reply

    async def sample(self, request: BuildContextRequest, due: float) -> Sample:
        """The outcome of a request that was to be sent at `due`, by `time.perf_counter`."""
        code, reply = await self.build(request)
        return Sample(time.perf_counter() - due, code, reply is not None and bool(reply.degradations))


async def offer(callers: Callers, requests: Sequence[BuildContextRequest], *, rate: float) -> list[Sample]:
    """Sends so many requests a second at even distances, whether or not answers come (an open loop)."""
    start = time.perf_counter()
    tasks = []
    for number, request in enumerate(requests):
        due = start + number / rate
        if (early := due - time.perf_counter()) > 0:
            await asyncio.sleep(early)
        tasks.append(asyncio.create_task(callers.sample(request, due)))
    return await asyncio.gather(*tasks)


async def saturate(
    callers: Callers, requests: Iterable[BuildContextRequest], *, concurrency: int, seconds: float
) -> tuple[list[Sample], float]:
    """Keeps so many requests under way (a closed loop); returns the samples and the seconds that they took."""
    left, start = iter(requests), time.perf_counter()
    samples: list[Sample] = []

    async def one_after_another() -> None:
        while (due := time.perf_counter()) < start + seconds and (request := next(left, None)) is not None:
            samples.append(await callers.sample(request, due))

    await asyncio.gather(*(one_after_another() for _ in range(concurrency)))
    return samples, time.perf_counter() - start


def quantile_ms(samples: Iterable[Sample], share: float) -> float:
    """A quantile of the good answers, in milliseconds; NaN where there is none."""
    seconds = [sample.seconds for sample in samples if sample.good]
    return 1e3 * percentile(seconds, share) if seconds else float("nan")
