"""What the ledger costs a request, what it takes in without loss, and what it keeps while its storage hangs.

    python -m benchmarks.ledger [--seconds 60]

Records have about 20 KB, as BuildContext leaves them for a budget of 2,000 tokens. They go to a folder, with the index
in a Valkey of its own; the storage that hangs is a bucket behind a socket that takes everything and answers nothing.
"""

import argparse
import asyncio
import itertools
import secrets
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from random import Random

import psutil
from obstore.store import LocalStore, ObjectStore, S3Store
from redis.asyncio import Redis
from redis.exceptions import RedisError
from rich.console import Console

from benchmarks.report import RESULTS, Figure, at_most, below, show, write
from scic.gateway.v1 import context_service_pb2 as context
from scic.gateway.v1 import ledger_service_pb2 as pb
from scic.mesh import valkey
from scic.mesh.packages import installation
from scic.mesh.ports import free_ports
from scic.type.v1 import message_pb2, score_pb2
from services.chassis import metrics
from services.gateway.callers.principal import Principal, Role
from services.gateway.ledger.record_id import new_record_id
from services.gateway.ledger.stored_ledger import StoredLedger
from services.gateway.ledger.wiring import open_ledger

_RATE = 100
"""Records a second."""

_CALLER = Principal("bench", "bench", frozenset({Role.READER}), sees_all=True)
_EVIDENCE, _DROPPED, _WORDS = 14, 26, 67
_DOCUMENTS = 500
_KEPT = 100_000
_BACK_TO_BACK = 1_000


def records(random: Random) -> Iterator[pb.Record]:
    """Records without end, each different."""
    vocabulary = [f"{random.randrange(36**5):x}" for _ in range(5_000)]
    for number in itertools.count():
        texts = [" ".join(random.choices(vocabulary, k=_WORDS)) for _ in range(_EVIDENCE)]
        names = [f"docs/document-{random.randrange(_DOCUMENTS)}.md" for _ in range(_EVIDENCE + _DROPPED)]
        score = score_pb2.Score(value=0.7, lexical=9.0, dense=0.6, lexical_part=0.4, dense_part=0.3, novelty=1.0)
        made = pb.Record(record_id=new_record_id(), key_id=_CALLER.key_id)
        made.create_time.GetCurrentTime()
        made.request.CopyFrom(
            context.BuildContextRequest(question=texts[0][:80], max_tokens=2000, request_id=f"request-{number}")
        )
        made.response.CopyFrom(
            context.BuildContextResponse(
                request_id=f"request-{number}",
                messages=[message_pb2.Message(role=message_pb2.ROLE_USER, content="\n".join(texts))],
                evidence=[
                    context.Evidence(
                        citation=place + 1,
                        passage_id=f"{names[place]}#{place}",
                        document_id=names[place],
                        source="docs",
                        title_path=[names[place], "A section"],
                        text=text,
                        score=score,
                        fate=context.Evidence.FATE_COMPRESSED,
                        token_count=120,
                        original_token_count=200,
                    )
                    for place, text in enumerate(texts)
                ],
                dropped=[
                    context.DroppedPassage(
                        passage_id=f"{name}#0",
                        document_id=name,
                        source="docs",
                        title_path=[name, "A section"],
                        score=score,
                        token_count=200,
                        reason=context.DroppedPassage.REASON_BUDGET,
                    )
                    for name in names[_EVIDENCE:]
                ],
                record_id=made.record_id,
            )
        )
        yield made


async def offer(ledger: StoredLedger, seconds: float, random: Random) -> list[float]:
    """Records at the rate for so long; returns how long each call took, in microseconds."""
    taken, supply = list[float](), records(random)
    start = time.perf_counter()
    for number in range(int(_RATE * seconds)):
        record = next(supply)
        await asyncio.sleep(max(start + number / _RATE - time.perf_counter(), 0))
        taken += timed(ledger, [record])
    return sorted(taken)


async def working(folder: Path, seconds: float) -> list[Figure]:
    """Figures of a ledger whose storage works."""
    random = Random(7)
    made = list(itertools.islice(records(random), _BACK_TO_BACK))
    size = sum(len(record.SerializeToString()) for record in made) / len(made)
    async with (
        valkey_server(folder) as redis,
        open_ledger(LocalStore(folder / "store", mkdir=True), redis, days=7, max_records=_KEPT) as ledger,
    ):
        await _page(ledger)  # which completes the index
        lost, alone = _lost(), timed(ledger, made)
        await ledger.flush()
        making = time.process_time()
        for _ in itertools.islice(records(random), int(_RATE * seconds)):
            pass
        making, spent = time.process_time() - making, time.process_time()
        taken = await offer(ledger, seconds, random)
        await ledger.flush()
        spent = time.process_time() - spent - making
        lost, count = _lost() - lost, len(taken) + len(made)
        objects = [path.stat().st_size for path in (folder / "store").rglob("*") if path.is_file()]
        index = sum([await redis.memory_usage(key, samples=0) or 0 async for key in redis.scan_iter()])
        names = [row.record_id for row in (await _page(ledger)).records]
        begun = time.perf_counter()
        for name in names:
            await ledger.get(_CALLER, name)
        reading, begun = (time.perf_counter() - begun) / len(names), time.perf_counter()
        await _page(ledger)
        listing, begun = time.perf_counter() - begun, time.perf_counter()
        await ledger.erase_documents(_CALLER.tenant, ["docs/nobody-names-it.md"])
        walking, begun = time.perf_counter() - begun, time.perf_counter()
        erased = await ledger.erase_documents(_CALLER.tenant, ["docs/document-1.md"])
        erasing = time.perf_counter() - begun
    return [
        Figure("record, mean size", size / 1e3, "KB"),
        Figure("record(), one after the other: p50", alone[len(alone) // 2], "µs", at_most(50)),
        Figure(f"record(), {_RATE} a second: p50", taken[len(taken) // 2], "µs"),
        Figure(f"record(), {_RATE} a second: p99", taken[len(taken) * 99 // 100], "µs"),
        Figure(f"lost of {len(taken):,} records", lost, "records", at_most(0)),
        Figure("processor time of one record, all of it", 1e3 * spent / len(taken), "ms", below(2)),
        Figure("segment bytes of one record", sum(objects) / count / 1e3, "KB"),
        Figure("index bytes of one record", index / count, "bytes"),
        Figure("segments", len(objects), "objects"),
        Figure("GetRecord", 1e3 * reading, "ms", below(50)),
        Figure("ListRecords, 100 records", 1e3 * listing, "ms"),
        Figure("erase_documents: headers read", len(objects) / walking, "segments/s"),
        Figure("erase_documents: records erased", erased / erasing, "records/s"),
    ]


async def hanging(seconds: float) -> list[Figure]:
    """Figures of a ledger whose storage hangs."""
    process, random = psutil.Process(), Random(8)
    async with silent_bucket() as bucket, open_ledger(bucket, None, days=7, max_records=_KEPT) as ledger:
        before = process.memory_info().rss
        await offer(ledger, seconds, random)
        grown = process.memory_info().rss - before
        lost = _lost()
        waiting = metrics.REGISTRY.get_sample_value("context_ledger_queue_bytes") or 0.0
    return [
        Figure(f"memory grown while the storage hangs for {seconds:g} s", grown / 1e6, "MB", below(64)),
        Figure("queue then", waiting / 1e6, "MB", at_most(33.6)),
        Figure("lost then", lost, "records"),
    ]


def timed(ledger: StoredLedger, made: Iterable[pb.Record]) -> list[float]:
    """How long each call of `record` took, in microseconds, in order."""
    taken = list[float]()
    for record in made:
        begun = time.perf_counter()
        ledger.record(_CALLER, record)
        taken.append(1e6 * (time.perf_counter() - begun))
    return sorted(taken)


def _lost() -> float:
    """Records that the queue could not hold, until now."""
    return metrics.REGISTRY.get_sample_value("context_ledger_lost_total", {"reason": "queue_full"}) or 0.0


async def _page(ledger: StoredLedger) -> pb.ListRecordsResponse:
    return await ledger.list(_CALLER, pb.ListRecordsRequest(page_size=100))


@asynccontextmanager
async def silent_bucket() -> AsyncIterator[ObjectStore]:
    """A bucket behind a socket that takes everything and answers nothing."""
    async with await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield S3Store(
            "bench",
            endpoint=f"http://127.0.0.1:{port}",
            region="here",
            skip_signature=True,
            client_options={"allow_http": True},
        )


@asynccontextmanager
async def valkey_server(folder: Path) -> AsyncIterator[Redis]:
    """A Valkey as the laptop mesh runs it."""
    port, password = next(iter(free_ports(Random()))), secrets.token_urlsafe(16)
    configuration = folder / "valkey.conf"
    configuration.write_text(valkey.render(port=port, password=password, directory=folder), encoding="utf-8")
    with _running([str(installation().valkey), str(configuration)], folder / "valkey.log"):
        async with Redis.from_url(f"redis://:{password}@127.0.0.1:{port}/0", socket_timeout=0.25) as redis:
            while not await _answers(redis):  # noqa: ASYNC110 - another process, which nothing here can wait for
                await asyncio.sleep(0.05)
            yield redis


@contextmanager
def _running(command: list[str], log: Path) -> Iterator[None]:
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            yield
        finally:
            process.kill()


async def _answers(redis: Redis) -> bool:
    try:
        return bool(await redis.ping())
    except RedisError:
        return False


async def measure(seconds: float) -> list[Figure]:
    """All figures."""
    with tempfile.TemporaryDirectory(prefix="scic-bench-") as folder:
        # First, since memory that the other part has freed would hide what this one takes.
        hung = await hanging(seconds)
        return [*await working(Path(folder), seconds), *hung]


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description="Measure the context ledger.")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long each part lasts")
    figures = asyncio.run(measure(parser.parse_args().seconds))
    show("ledger", figures, Console())
    write(RESULTS / "ledger.json", figures)


if __name__ == "__main__":
    main()
