"""A segment: the records that a gateway wrote at once, in one object that says by itself what it holds.

    8 bytes   SCICLED2 (SCICLED1: every body is one stream)
    4 bytes   length of the header, unsigned, little-endian
    header    a JSON array with an entry a record (see `entry`), padded with spaces; offsets count from its end
    bodies    one a record: a serialized scic.gateway.v1.Record, zlib; where its reply was handed on as it was stored,
              behind it in a stream of its own that BuildContextResponse, over which the record's own holds

An erased record leaves its entry's name and zeros in the place of its body. The object keeps its size and every other
record its place, so whoever looked a record up before reads it right after, and one atomic write does it.
"""

import json
import struct
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

from google.protobuf.message import DecodeError
from isal import isal_zlib
from isal.igzip_lib import IsalError

from scic.gateway.v1 import context_service_pb2 as context
from scic.gateway.v1 import ledger_service_pb2 as pb
from services.gateway.cache import packing
from services.gateway.ledger.entry import Entry, from_json, to_json
from services.gateway.ledger.summary import Facts, facts_of, summarise
from services.gateway.ledger.viewer import Viewer

PREFIX = struct.Struct("<8sI")
"""Magic and length of the header."""

_MAGIC = b"SCICLED2"
_KNOWN = frozenset({_MAGIC, b"SCICLED1"})
_LEVEL = 1
"""A record shrinks to a third in some 50 microseconds; higher levels cost more than they save."""


class BrokenSegmentError(Exception):
    """An object beneath a ledger is no segment."""


@dataclass(frozen=True, slots=True)
class Body:
    """A record on its way into a segment."""

    entry: Entry
    data: bytes


def compress(serialized: bytes, viewer: Viewer, common: bytes = b"", facts: Facts | None = None) -> Body:
    """A record as it will lie in a segment. Takes a tenth of a millisecond: not for the event loop.

    `facts` are those of the reply: by default they are those of the record's own response.
    """
    record = pb.Record.FromString(serialized)
    facts = facts or facts_of(record.response)
    data = isal_zlib.compress(serialized, _LEVEL) + packing.zlib_of(common)
    entry = Entry(
        record_id=record.record_id,
        time_ms=record.create_time.ToMilliseconds(),
        viewer=viewer,
        length=len(data),
        documents=facts.documents,
        summary=summarise(record, facts).SerializeToString(),
    )
    return Body(entry, data)


def pack(bodies: Sequence[Body], segment: str) -> tuple[bytes, list[Entry]]:
    """The segment of some records, and its entries as `unpack` gives them."""
    placed = list(zip(bodies, accumulate((len(body.data) for body in bodies), initial=0), strict=False))
    header = _header([to_json(body.entry, offset) for body, offset in placed])
    data = b"".join((PREFIX.pack(_MAGIC, len(header)), header, *(body.data for body in bodies)))
    begin = PREFIX.size + len(header)
    return data, [replace(body.entry, segment=segment, offset=begin + offset) for body, offset in placed]


def header_size(data: bytes) -> int:
    """Bytes of an object, from its beginning, that `unpack` needs. Raises BrokenSegmentError."""
    try:
        magic, length = PREFIX.unpack_from(data)
    except struct.error:
        raise BrokenSegmentError("it is shorter than a segment") from None
    if magic not in _KNOWN:
        raise BrokenSegmentError("it does not begin as a segment does")
    return PREFIX.size + int(length)


def unpack(data: bytes, segment: str) -> list[Entry]:
    """The entries of a segment, by its first `header_size` bytes or more. Raises BrokenSegmentError."""
    begin = header_size(data)
    try:
        values = json.loads(data[PREFIX.size : begin])
        entries = [from_json(value, segment) for value in values]
    except (ValueError, KeyError, TypeError) as error:
        raise BrokenSegmentError("its header cannot be read") from error
    return [entry if entry.erased else replace(entry, offset=entry.offset + begin) for entry in entries]


def read(body: bytes) -> pb.Record | None:
    """The record of a body; None where it was erased. Raises BrokenSegmentError."""
    if not any(body):
        return None
    try:
        stream = isal_zlib.decompressobj()
        record = pb.Record.FromString(stream.decompress(body))
        if not stream.eof:
            raise BrokenSegmentError("a body has no end")
        if stream.unused_data:
            whole = context.BuildContextResponse.FromString(isal_zlib.decompress(stream.unused_data))
            whole.MergeFrom(record.response)
            record.response.CopyFrom(whole)
    except (IsalError, DecodeError) as error:  # type: ignore[misc]  # isal's stub takes its class for an instance
        raise BrokenSegmentError("a body cannot be read") from error
    return record


def blank(data: bytes, segment: str, record_ids: Collection[str]) -> bytes:
    """The segment without some of its records. Raises BrokenSegmentError."""
    begin = header_size(data)
    blanked = bytearray(data)
    values = list[dict[str, Any]]()
    for entry in unpack(data, segment):
        if entry.record_id in record_ids and not entry.erased:
            blanked[entry.offset : entry.offset + entry.length] = bytes(entry.length)
            values.append(to_json(entry.tombstone(), 0))
        else:
            values.append(to_json(entry, entry.offset - begin))
    blanked[PREFIX.size : begin] = _header(values).ljust(begin - PREFIX.size)
    return bytes(blanked)


def _header(values: Sequence[dict[str, Any]]) -> bytes:
    return json.dumps(values, separators=(",", ":")).encode()
