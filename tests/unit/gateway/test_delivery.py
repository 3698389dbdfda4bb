"""A reply as one caller gets it: what all get, and what is the caller's own."""

from hypothesis import given
from hypothesis import strategies as st

from scic.gateway.v1 import cache_pb2
from scic.gateway.v1 import context_service_pb2 as pb
from scic.gateway.v1 import ledger_service_pb2 as records
from scic.type.v1 import message_pb2
from services.gateway.delivery import Delivery
from services.gateway.ledger.stored_ledger import _response

COMMON = pb.BuildContextResponse(
    messages=[message_pb2.Message(content="Evidence."), message_pb2.Message(content="Why?")],
    tokens=pb.TokenUsage(total=7),
    cache=pb.CACHE_STATUS_MISS,
    corpus_version=3,
)


def test_what_is_the_callers_own_stands_beside_what_all_get_and_in_its_place() -> None:
    own = pb.BuildContextResponse(request_id="r", cache=pb.CACHE_STATUS_HIT)
    delivery = Delivery(own, COMMON.SerializeToString())
    delivery.own.cache_report.tier = cache_pb2.CACHE_TIER_EXACT
    expected = pb.BuildContextResponse()
    expected.CopyFrom(COMMON)
    expected.MergeFrom(own)
    assert delivery.message == expected
    assert pb.BuildContextResponse.FromString(delivery.SerializeToString()) == expected


def test_without_anything_common_it_is_the_message() -> None:
    delivery = Delivery(COMMON)
    assert delivery.message is COMMON
    assert delivery.SerializeToString() == COMMON.SerializeToString()


@given(st.integers(1, 40_000))
def test_a_record_takes_a_serialized_reply_of_any_length(size: int) -> None:
    reply = pb.BuildContextResponse(request_id="x" * size)
    record = records.Record(record_id="one", key_id="key")
    data = record.SerializeToString() + _response(reply.SerializeToString())
    record.response.CopyFrom(reply)
    assert records.Record.FromString(data) == record
