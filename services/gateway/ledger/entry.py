"""What is known of a record without reading it: who may see it, what it names, and where it lies."""

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass, replace
from typing import Any, Self

from scic.gateway.v1 import ledger_service_pb2 as pb
from services.gateway.ledger.viewer import Viewer
from services.gateway.name_digest import name_digest


@dataclass(frozen=True, slots=True)
class Entry:
    """A record in the header of its segment, and in the index."""

    record_id: str
    time_ms: int
    """When the request came, in milliseconds since 1970."""

    viewer: Viewer
    segment: str = ""
    """Name of the object that holds it, beneath the tenant's ledger: `yyyy-mm-dd/HH/name`."""

    offset: int = 0
    """Where its body begins in the object."""

    length: int = 0
    """Bytes of its body."""

    documents: tuple[str, ...] = ()
    """Digests of the documents that it names, see `document_digest`."""

    summary: bytes = b""
    """A serialized RecordSummary."""

    erased: bool = False
    """Whether it was erased; then nothing is left but its name, its time and who might see it."""

    def tombstone(self) -> Self:
        """What stays of it once it is erased."""
        return replace(self, offset=0, length=0, documents=(), summary=b"", erased=True)

    def row(self) -> pb.RecordSummary:
        """Its line in a listing."""
        return pb.RecordSummary.FromString(self.summary)


def document_digest(document_id: str) -> str:
    """What stands for a document's id in a header: ids may be personal, and headers are read in bulk."""
    return name_digest(document_id).hex()


def to_json(entry: Entry, offset: int) -> dict[str, Any]:
    """The entry as headers have it, by where its body begins there; that of an erased one is always the shorter."""
    viewer = entry.viewer
    known = {
        "id": entry.record_id,
        "time": entry.time_ms,
        "key": viewer.key_id,
        "groups": viewer.groups,
        "all": viewer.sees_all,
    }
    if entry.erased:
        return {**known, "erased": True}
    place = {"offset": offset, "length": entry.length}
    return {**known, **place, "documents": entry.documents, "summary": b64encode(entry.summary).decode()}


_encode = json.JSONEncoder(separators=(",", ":")).encode
"""Made once: `json.dumps` with an option makes an encoder a call."""


def from_json(value: dict[str, Any], segment: str) -> Entry:
    """The entry of a segment's header."""
    return Entry(
        record_id=value["id"],
        time_ms=value["time"],
        viewer=Viewer(value["key"], tuple(value["groups"]), value["all"]),
        segment=segment,
        offset=value.get("offset", 0),
        length=value.get("length", 0),
        documents=tuple(value.get("documents", ())),
        summary=b64decode(value.get("summary", "")),
        erased=value.get("erased", False),
    )


def dumps(entry: Entry) -> str:
    """The entry as an index keeps it: with the name of its segment, and without documents, which only headers need."""
    return _encode({**to_json(entry, entry.offset), "documents": (), "segment": entry.segment})


def loads(text: str | bytes) -> Entry:
    """The entry that `dumps` wrote."""
    value = json.loads(text)
    return from_json(value, value["segment"])
