"""Records as requests leave them."""

import asyncio
from collections.abc import Sequence
from random import Random

from scic import errors
from scic.gateway.v1 import context_service_pb2 as context
from scic.gateway.v1 import ledger_service_pb2 as pb
from scic.type.v1 import degradation_pb2, message_pb2, score_pb2
from services.gateway.callers.principal import Principal, Role
from services.gateway.ledger.record_id import new_record_id
from services.gateway.ledger.stored_ledger import StoredLedger
from tests.waiting import LONG

READER = frozenset({Role.READER})
ADMIN = Principal("admin", "acme", READER, sees_all=True)
SALES = Principal("sales", "acme", READER, frozenset({"sales"}))
SALES_TOO = Principal("sales-2", "acme", READER, frozenset({"sales", "support"}))
SUPPORT = Principal("support", "acme", READER, frozenset({"support"}))
NOBODY = Principal("nobody", "acme", READER)
STRANGER = Principal("admin", "other", READER, sees_all=True)

NOON = 1_795_694_400.0
"""2026-11-26 12:00 UTC, in seconds since 1970."""


class Clock:
    """Seconds since 1970, as a test says."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


async def flushed(ledger: StoredLedger) -> None:
    """Waits until all that was recorded is written."""
    async with asyncio.timeout(LONG):
        await ledger.flush()


def record(
    number: int = 0,
    *documents: str,
    at: float = NOON,
    dropped: Sequence[str] = (),
    request_id: str = "",
    question: str = "How do I rotate the keys?",
    profile: str = "default",
    version: str = "",
    degraded: bool = False,
    failed: bool = False,
    text: str = "Keys are rotated by hand.",
    key_id: str = "admin",
) -> pb.Record:
    """A record of a moment; those of one moment sort by their number."""
    made = pb.Record(
        record_id=new_record_id(lambda: at, _Numbered(number)),
        key_id=key_id,
        request=context.BuildContextRequest(
            question=question, max_tokens=1000, request_id=request_id or f"request-{number}"
        ),
    )
    made.create_time.FromMilliseconds(int(at * 1000))
    made.duration.FromMilliseconds(40)
    if failed:
        made.error.CopyFrom(errors.to_status(errors.BUDGET_TOO_SMALL.error("too small")))
        return made
    made.response.CopyFrom(
        context.BuildContextResponse(
            request_id=made.request.request_id,
            record_id=made.record_id,
            messages=[message_pb2.Message(role=message_pb2.ROLE_USER, content=text)],
            evidence=[
                context.Evidence(
                    citation=place,
                    passage_id=f"{document}#0",
                    document_id=document,
                    source="docs",
                    title_path=[document, "Keys"],
                    text=text,
                    score=score_pb2.Score(value=0.9, lexical_part=0.5, lexical=11.0, dense_part=0.4, dense=0.7),
                    fate=context.Evidence.FATE_WHOLE,
                    token_count=6,
                    original_token_count=6,
                )
                for place, document in enumerate(documents, start=1)
            ],
            dropped=[
                context.DroppedPassage(
                    passage_id=f"{document}#0",
                    document_id=document,
                    source="docs",
                    title_path=[document],
                    score=score_pb2.Score(value=0.2),
                    token_count=80,
                    reason=context.DroppedPassage.REASON_BUDGET,
                )
                for document in dropped
            ],
            tokens=context.TokenUsage(
                total=100,
                max_tokens=1000,
                sections=[message_pb2.SectionTokens(section=message_pb2.SECTION_EVIDENCE, token_count=100)],
            ),
            cache=context.CACHE_STATUS_MISS,
            model="gpt-4o",
            encoding="o200k_base",
            profile=profile,
            profile_version=version,
            corpus_version=7,
        )
    )
    if degraded:
        made.response.degradations.add(
            stage=degradation_pb2.STAGE_COMPRESS, reason="STAGE_UNAVAILABLE", detail="passages were cut by rank"
        )
    return made


class _Numbered(Random):
    """Gives its number in the place of random bits."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def getrandbits(self, k: int, /) -> int:
        return self._number
