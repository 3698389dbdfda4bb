"""`python -m benchmarks.gateway.zipf`: hits on questions of uneven popularity while documents change, and lies."""

import asyncio
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

import grpc
import numpy as np
import uvloop

from benchmarks.gateway.bed import MAX_TOKENS, Bed, MeasureError, run
from benchmarks.gateway.editions import DELETED, Editions, key_of, reworded
from benchmarks.gateway.load import Callers
from benchmarks.gateway.popularity import DISTINCT, asked
from benchmarks.report import Figure, at_least, at_most
from scic.client import Client
from scic.client.request import context_request
from scic.gateway.v1 import cache_pb2
from scic.gateway.v1.context_service_pb2 import CACHE_STATUS_HIT, CACHE_STATUS_SHARED, BuildContextResponse
from scic.gateway.v1.corpus_service_pb2 import IngestDocumentsResponse

QUESTIONS = 10_000
REWORDED_SHARE = 0.1
CHANGE_EVERY = QUESTIONS // 100
"""Requests between two changes of documents: one of a hundred."""
DELETE_EVERY = 10
"""Of so many changes one is a deletion."""
CONCURRENCY = 8
_SEED = 7


@dataclass(slots=True)
class _Outcome:
    answers: Counter[str] = field(default_factory=Counter)
    """By what served them."""
    stale: int = 0
    wrong: int = 0
    seconds: float = 0.0


def measure(bed: Bed) -> list[Figure]:
    """Ask all questions in turn, change documents meanwhile, hold every reply against the oracle."""
    outcome = uvloop.run(_Stream(bed).run())
    share = {name: 100 * count / QUESTIONS for name, count in outcome.answers.items()}
    return [
        Figure("Zipf stream: exact hits", share.get("exact", 0.0), "%", at_least(60)),
        Figure("Zipf stream: semantic hits", share.get("semantic", 0.0), "%"),
        Figure("Zipf stream: shared with an equal request", share.get("shared", 0.0), "%"),
        Figure("Zipf stream: stale answers", outcome.stale, "answers", at_most(0)),
        Figure("Zipf stream: wrong answers", outcome.wrong, "answers", at_most(0)),
        Figure("Zipf stream: errors", outcome.answers["error"], "answers", at_most(0)),
        Figure("Zipf stream: throughput", QUESTIONS / outcome.seconds, "requests/s"),
    ]


class _Stream:
    def __init__(self, bed: Bed) -> None:
        self._bed = bed
        self._editions = Editions(bed.sentences, DISTINCT)
        self._random = np.random.default_rng(_SEED)
        self._outcome = _Outcome()
        self._asked = asked(self._random, QUESTIONS)
        self._changed = self._random.choice(DISTINCT, QUESTIONS // CHANGE_EVERY, replace=False).tolist()

    async def run(self) -> _Outcome:
        edge, key = self._bed.mesh.edge, self._bed.mesh.api_key
        async with Client(edge, api_key=key) as writer, Callers(edge, key) as callers:
            self._bed.say(f"Ingesting {DISTINCT} documents")
            async for result in writer.ingest_documents(self._editions.document(n) for n in range(DISTINCT)):
                _expect_indexed(result)
            self._bed.say(f"Asking {QUESTIONS} questions while {len(self._changed)} documents change")
            left, start = iter(enumerate(self._asked)), time.perf_counter()

            async def one_after_another() -> None:
                for index, number in left:
                    if index % CHANGE_EVERY == CHANGE_EVERY - 1:
                        await self._change(writer, index // CHANGE_EVERY)
                    await self._ask(callers, index, number)

            await asyncio.gather(*(one_after_another() for _ in range(CONCURRENCY)))
        self._outcome.seconds = time.perf_counter() - start
        return self._outcome

    async def _ask(self, callers: Callers, index: int, number: int) -> None:
        question = self._editions.question(number)
        if self._random.random() < REWORDED_SHARE:
            question = reworded(question, index)
        known = list(self._editions.acknowledged)
        code, reply = await callers.build(context_request(question, max_tokens=MAX_TOKENS))
        if code is not grpc.StatusCode.OK or reply is None:
            self._outcome.answers["error"] += 1
            return
        self._outcome.answers[_served_by(reply)] += 1
        self._outcome.stale += bool(self._editions.stale(reply, known))
        self._outcome.wrong += self._editions.is_wrong(reply, number, question)

    async def _change(self, writer: Client, index: int) -> None:
        number = self._changed[index]
        if index % DELETE_EVERY == 0:
            self._editions.begin(number, DELETED)
            await writer.delete_documents([key_of(number)])
        else:
            self._editions.begin(number)
            async for result in writer.ingest_documents([self._editions.document(number)]):
                _expect_indexed(result)
        self._editions.acknowledge(number)


def _served_by(reply: BuildContextResponse) -> str:
    if reply.cache == CACHE_STATUS_HIT:
        return "semantic" if reply.cache_report.tier == cache_pb2.CACHE_TIER_SEMANTIC else "exact"
    return "shared" if reply.cache == CACHE_STATUS_SHARED else "computed"


def _expect_indexed(result: IngestDocumentsResponse) -> None:
    if result.outcome != IngestDocumentsResponse.OUTCOME_INDEXED:
        raise MeasureError(f"{result.document_id} was not indexed: {result.error.message or 'unchanged'}")


if __name__ == "__main__":
    sys.exit(run("Uneven questions", "gateway_zipf", [("Uneven questions while documents change", measure)]))
