"""Segments say by themselves what they hold, and forget what is erased."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scic.gateway.v1 import ledger_service_pb2 as pb
from services.gateway.ledger.entry import document_digest, dumps, loads
from services.gateway.ledger.segment import BrokenSegmentError, blank, compress, header_size, pack, read, unpack
from services.gateway.ledger.viewer import Viewer
from tests.unit.gateway.ledger.records import record

VIEWER = Viewer("sales", ("sales", "support"))
NAME = "2026-11-26/12/one"

TEXTS = st.text(min_size=1, max_size=40)
RECORDS = st.lists(
    st.builds(
        lambda documents, question, degraded: (documents, question, degraded),
        st.lists(TEXTS, max_size=5, unique=True),
        TEXTS,
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
).map(
    lambda rows: [
        record(number, *documents, question=question, degraded=degraded)
        for number, (documents, question, degraded) in enumerate(rows)
    ]
)


def segment_of(records: Sequence[pb.Record]) -> bytes:
    data, entries = pack([compress(one.SerializeToString(), VIEWER) for one in records], NAME)
    assert entries == unpack(data, NAME)
    return data


def bodies(data: bytes) -> list[pb.Record | None]:
    return [None if e.erased else read(data[e.offset : e.offset + e.length]) for e in unpack(data, NAME)]


@given(RECORDS)
def test_what_was_packed_is_read(records: list[pb.Record]) -> None:
    data = segment_of(records)
    entries = unpack(data[: header_size(data)], NAME)
    assert [entry.record_id for entry in entries] == [one.record_id for one in records]
    assert bodies(data) == records
    for entry, one in zip(entries, records, strict=True):
        assert (entry.viewer, entry.segment, entry.erased) == (VIEWER, NAME, False)
        assert set(entry.documents) == {document_digest(item.document_id) for item in one.response.evidence}
        assert entry.row().question == one.request.question
        assert loads(dumps(entry)) == replace(entry, documents=())


@given(RECORDS, st.data())
def test_blanking_erases_the_named_and_moves_nothing_else(records: list[pb.Record], data: st.DataObject) -> None:
    whole = segment_of(records)
    names = [one.record_id for one in records]
    first = data.draw(st.sets(st.sampled_from(names)))
    second = data.draw(st.sets(st.sampled_from(names)))
    blanked = blank(blank(whole, NAME, first), NAME, second)
    assert len(blanked) == len(whole)
    for before, after, one in zip(unpack(whole, NAME), unpack(blanked, NAME), records, strict=True):
        if one.record_id in first | second:
            assert after == before.tombstone()
            assert not any(blanked[before.offset : before.offset + before.length])
            assert read(blanked[before.offset : before.offset + before.length]) is None
        else:
            assert after == before
    assert bodies(blanked) == [None if one.record_id in first | second else one for one in records]


def test_nothing_of_an_erased_record_is_left_but_its_name() -> None:
    data = segment_of([record(1, "secret.md", question="Who is ill?", request_id="mine"), record(2, "other.md")])
    blanked = blank(data, NAME, {record(1).record_id})
    assert b"Who is ill?" not in blanked
    assert document_digest("secret.md").encode() in data
    assert document_digest("secret.md").encode() not in blanked
    assert document_digest("other.md").encode() in blanked


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: b"", id="empty"),
        pytest.param(lambda data: data[:6], id="too short"),
        pytest.param(lambda data: b"X" + data[1:], id="another kind of file"),
        pytest.param(lambda data: data[: header_size(data) - 40], id="half a header"),
        pytest.param(lambda data: data[:12] + b'[{"id":1}]'.ljust(header_size(data) - 12), id="another header"),
    ],
)
def test_a_broken_segment_is_said_to_be_broken(damage) -> None:
    data = damage(segment_of([record(1, "a.md")]))
    with pytest.raises(BrokenSegmentError):
        unpack(data, NAME)


def test_a_broken_body_is_said_to_be_broken() -> None:
    data = segment_of([record(1, "a.md")])
    entry = unpack(data, NAME)[0]
    with pytest.raises(BrokenSegmentError):
        read(b"X" + data[entry.offset + 1 : entry.offset + entry.length])


@pytest.mark.parametrize("missing", [1, 3, 20])
def test_a_body_without_its_end_is_no_record(missing: int) -> None:
    data = segment_of([record(1, "a.md")])
    entry = unpack(data, NAME)[0]
    with pytest.raises(BrokenSegmentError):
        read(data[entry.offset : entry.offset + entry.length - missing])
