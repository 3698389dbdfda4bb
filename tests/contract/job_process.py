"""A worker in a process of its own, to be killed and paused: does jobs without end and keeps a journal.

Each line of the journal is JSON: what happened, the job, the token, and what else there is. It is written after the
fact, by one write, so what stands in it is true whenever the process dies. A result says by which call it was kept.
"""

import asyncio
import itertools
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from scic.errors import ScicError
from services.chassis.breaker import Breaker
from services.gateway.jobs.ports import Claim, LostClaimError
from services.gateway.jobs.redis_job_queue import RedisJobQueue
from tests.contract.job_worlds import built

LEASE = 2.0
POISON = b"poison"

_AT_A_TIME = 3
_ITEM_SECONDS = 0.02
_POLL_SECONDS = 0.2


class Worker:
    """Does jobs, each item by writing down who did it."""

    def __init__(self, queue: RedisJobQueue, name: str, journal: Path) -> None:
        self._queue = queue
        self._name = name
        self._file = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def run(self) -> None:
        while True:
            with suppress(ScicError):
                if claim := await self._queue.claim():
                    await self._do(claim)
                    continue
            await asyncio.sleep(_POLL_SECONDS)

    async def _do(self, claim: Claim) -> None:
        self._write("claim", claim, attempt=claim.job.attempt_count)
        if claim.payload == POISON:
            os.kill(os.getpid(), signal.SIGKILL)
        beating = asyncio.create_task(self._beat(claim))
        try:
            for index in range(claim.job.item_count):
                if index not in claim.done:
                    await self._do_item(claim, index)
            await self._succeed(claim)
            self._write("succeed", claim)
        except LostClaimError:
            self._write("lost", claim)
        finally:
            beating.cancel()

    async def _do_item(self, claim: Claim, index: int) -> None:
        await asyncio.sleep(_ITEM_SECONDS)
        for number in itertools.count():
            call = f"{claim.token} {index} {number}"
            try:
                await self._queue.record(claim, {index: built(index, text=call)})
            except ScicError:
                # It may have been kept all the same; then the next call finds it there.
                await asyncio.sleep(_POLL_SECONDS)
            except LostClaimError:
                self._write("stale", claim, index=index, call=call)
                raise
            else:
                self._write("record", claim, index=index)
                return

    async def _beat(self, claim: Claim) -> None:
        with suppress(LostClaimError):
            while True:
                await asyncio.sleep(LEASE / 3)
                with suppress(ScicError):
                    await self._queue.heartbeat(claim)

    async def _succeed(self, claim: Claim) -> None:
        while True:
            try:
                await self._queue.succeed(claim)
            except ScicError:
                await asyncio.sleep(_POLL_SECONDS)
            else:
                return

    def _write(self, what: str, claim: Claim, **more: object) -> None:
        job = {"tenant": claim.owner.tenant, "job": claim.job.job_id, "token": claim.token}
        os.write(self._file, json.dumps({"worker": self._name, "what": what} | job | more).encode() + b"\n")


async def main(url: str, cluster: str, name: str, journal: str) -> None:
    kind = RedisCluster if cluster == "cluster" else Redis
    # A call that the client makes again by itself would be two.
    async with kind.from_url(url, socket_timeout=5, retry=Retry(NoBackoff(), 0)) as redis:
        queue = RedisJobQueue(redis, Breaker(name), lease_seconds=LEASE, max_waiting=10_000, max_bytes=1 << 28)
        worker = Worker(queue, name, Path(journal))
        await asyncio.gather(*(worker.run() for _ in range(_AT_A_TIME)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
