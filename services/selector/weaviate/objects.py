"""Documents and passages to and from Weaviate's objects."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

import numpy as np
from google.protobuf import struct_pb2
from weaviate.proto.v1 import base_pb2, batch_pb2

from services.selector.indexing import fingerprint, passage_terms, search_terms
from services.selector.moments import microseconds, moment_of
from services.selector.passage import Document, Passage, SourceKind, TrustLabel
from services.selector.sketch import SIZE, make_sketch
from services.selector.weaviate.filters import group_tokens, token

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from services.selector.passage import IndexedDocument

DIGEST: Final = np.dtype(
    [
        ("generation", "<u8"),
        ("document", "<u8"),
        ("fingerprint", "<u8"),
        ("indexed", "<i8"),
        ("ordinal", "<i8"),
        ("created", "<f8"),
        ("sketch", "<u2", (SIZE,)),
    ]
)
"""What ranking needs of a passage, in one property. Its size divides by three: such digests in base64 can be joined."""
assert DIGEST.itemsize % 3 == 0

VECTOR: Final = "default"
"""Name of the only vector, the one that Weaviate gives it where none is given."""
NEVER: Final = (1 << 53) - 1
"""Stands for the expiry of a document that has none: the largest whole number that JSON carries unchanged."""
_SPACE: Final = UUID("8a6e0804-2bd0-4672-b79d-d97027f9071a")


@dataclass(frozen=True, slots=True)
class Record:
    """A document as it stands in the store."""

    document: Document
    generation: str
    """16 hexadecimal digits; every write of a document makes a new one."""
    runs: tuple[str, ...] = ()
    """The change of the embedding model that its passages have new vectors of."""


def batch_object(
    collection: str,
    tenant: str,
    name: str,
    properties: Mapping[str, str | int],
    tokens: Mapping[str, Sequence[str]] | None = None,
    vector: NDArray[np.float32] | None = None,
) -> batch_pb2.BatchObject:
    """An object to write; `name` is its id, `tokens` its properties that are lists."""
    values = struct_pb2.Struct()
    values.update(properties)
    lists = [
        base_pb2.TextArrayProperties(prop_name=key, values=those) for key, those in (tokens or {}).items() if those
    ]
    written = batch_pb2.BatchObject(
        uuid=name,
        collection=collection,
        tenant=tenant,
        properties=batch_pb2.BatchObject.Properties(non_ref_properties=values, text_array_properties=lists),
    )
    if vector is not None:
        written.vectors.add(
            name=VECTOR, vector_bytes=vector.astype("<f4").tobytes(), type=base_pb2.Vectors.VECTOR_TYPE_SINGLE_FP32
        )
    return written


def document_object(collection: str, tenant: str, record: Record) -> batch_pb2.BatchObject:
    """A document's record."""
    document = record.document
    properties: dict[str, str | int] = {
        "generation": record.generation,
        "document": token("document", document.document_id),
        # Hexadecimal digits of UTF-8 sort as its bytes do.
        "order": document.document_id.encode().hex(),
        "source": token("source", document.source),
        "sourceName": document.source,
        "passages": document.passage_count,
        "size": document.size,
        "expires": NEVER if document.expires_at is None else microseconds(document.expires_at),
        "record": _written(document),
    }
    tokens = {
        "groups": group_tokens(document.acl_groups),
        "facets": _facets(document),
        "subjects": [token("subject", subject) for subject in document.subjects],
        "runs": record.runs,
    }
    return batch_object(collection, tenant, str(uuid5(_SPACE, record.generation)), properties, tokens)


def text_objects(
    collection: str, tenant: str, document: Document, generation: str, passages: Sequence[Passage]
) -> Iterator[batch_pb2.BatchObject]:
    """What is handed back of each passage."""
    record = _written(document)
    for passage in passages:
        properties: dict[str, str | int] = {
            "generation": generation,
            "ordinal": passage.ordinal,
            "titles": json.dumps(passage.title_path, ensure_ascii=False),
            "text": passage.text,
            "start": passage.start,
            "end": passage.end,
            "prepared": b64encode(passage.prepared).decode(),
            "sensitive": b64encode(passage.sensitive).decode(),
            "record": record,
        }
        yield batch_object(collection, tenant, passage_name(generation, passage.ordinal), properties)


def passage_objects(
    collection: str, tenant: str, indexed: IndexedDocument, generation: str
) -> Iterator[batch_pb2.BatchObject]:
    """What each passage is found by."""
    document = indexed.document
    assert document.indexed_at is not None
    digest = np.zeros((), DIGEST)
    digest["generation"] = int(generation, 16)
    digest["document"] = int(token("document", document.document_id)[:16], 16)
    digest["indexed"] = microseconds(document.indexed_at)
    digest["created"] = np.nan if document.created_at is None else document.created_at.timestamp()
    tokens = {"groups": group_tokens(document.acl_groups), "facets": _facets(document)}
    source = token("source", document.source)
    own = [passage_terms(passage) for passage in indexed.passages]
    searched = search_terms(document.kind, own)
    for passage, vector, terms, found_by in zip(indexed.passages, indexed.vectors, own, searched, strict=True):
        digest["ordinal"] = passage.ordinal
        digest["fingerprint"] = fingerprint(passage.text)
        digest["sketch"] = make_sketch(terms, passage.text)
        properties: dict[str, str | int] = {
            "digest": b64encode(digest.tobytes()).decode(),
            "generation": generation,
            "source": source,
            "expires": NEVER if document.expires_at is None else microseconds(document.expires_at),
            "terms": " ".join(found_by),
        }
        yield batch_object(collection, tenant, passage_name(generation, passage.ordinal), properties, tokens, vector)


def passage_name(generation: str, ordinal: int) -> str:
    """Id of a passage's objects."""
    return str(uuid5(_SPACE, f"{generation}/{ordinal}"))


def digests(written: Sequence[str]) -> NDArray[Any]:
    """Read digests; of dtype `DIGEST`, shape (n,)."""
    return np.frombuffer(b64decode("".join(written)), DIGEST)


def read_passage(fields: Mapping[str, Any]) -> Passage:
    """A passage from the fields of its text's object; one that it does not have reads as empty."""
    return Passage(
        document=read_document(fields["record"].text_value),
        ordinal=fields["ordinal"].int_value,
        title_path=_titles(fields["titles"].text_value),
        text=fields["text"].text_value,
        start=fields["start"].int_value,
        end=fields["end"].int_value,
        prepared=b64decode(fields["prepared"].text_value),
        sensitive=b64decode(fields["sensitive"].text_value),
    )


@lru_cache(maxsize=4096)
def read_document(written: str) -> Document:
    """A document from the text that its objects carry."""
    fields = json.loads(written)
    for name in ("created_at", "expires_at", "indexed_at"):
        fields[name] = None if fields[name] is None else moment_of(fields[name])
    fields |= {
        "kind": SourceKind(fields["kind"]),
        "acl_groups": tuple(fields["acl_groups"]),
        "subjects": tuple(fields["subjects"]),
        "trust": TrustLabel(fields.get("trust", TrustLabel.UNTRUSTED)),
    }
    return Document(**fields)


def _written(document: Document) -> str:
    fields = asdict(document)
    for name in ("created_at", "expires_at", "indexed_at"):
        fields[name] = None if fields[name] is None else microseconds(fields[name])
    fields["metadata"] = dict(document.metadata)
    if document.trust is TrustLabel.UNTRUSTED:
        # A selector of the version before, which may still run, does not know the field.
        del fields["trust"]
    return json.dumps(fields, ensure_ascii=False)


def _facets(document: Document) -> list[str]:
    """What conditions are compared with: each entry of the metadata, and each key."""
    entries = document.metadata.items()
    return [token("facet", key, value) for key, value in entries] + [token("key", key) for key, _ in entries]


@lru_cache(maxsize=8192)
def _titles(written: str) -> tuple[str, ...]:
    return tuple(json.loads(written))
