"""Payloads and results as they lie in Redis: compressed where that pays."""

from isal import isal_zlib

from scic import errors
from scic.gateway.v1 import job_service_pb2 as pb
from services.gateway.jobs.ports import ItemResult
from services.gateway.jobs.redis_fields import digests

_PLAIN, _SMALL = b"=", b"z"
_LEAST_BYTES = 256
_LEVEL = 1

GONE = b"-"
"""Stands for a result that was erased."""

RESULT_ERASED = errors.to_status(
    errors.RESULT_ERASED.error("the result, or what was to be done, named a document that was deleted since")
)


def packed(value: bytes) -> bytes:
    """The value, compressed if it is then a tenth smaller."""
    if len(value) >= _LEAST_BYTES:
        small = isal_zlib.compress(value, _LEVEL)
        if len(small) < 0.9 * len(value):
            return _SMALL + small
    return _PLAIN + value


def unpacked(value: bytes) -> bytes:
    """What was packed."""
    return isal_zlib.decompress(value[1:]) if value[:1] == _SMALL else value[1:]


def packed_result(item: ItemResult) -> tuple[bytes, bytes]:
    """A result, and what it counts as (0: well, 1: failed, 2: degraded) with the documents that it names."""
    flag = b"1" if item.result.HasField("error") else b"2" if item.result.context.degradations else b"0"
    return packed(item.result.SerializeToString()), flag + b"".join(digests(sorted(set(item.document_ids))))


def unpacked_result(index: int, value: bytes) -> pb.JobResult:
    """A result."""
    if value == GONE:
        return pb.JobResult(index=index, error=RESULT_ERASED)
    return pb.JobResult.FromString(unpacked(value))
