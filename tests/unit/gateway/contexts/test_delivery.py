"""A reply as one caller gets it: what all get, and what is the caller's own."""

from scic.gateway.v1 import cache_pb2
from scic.gateway.v1 import context_service_pb2 as pb
from scic.type.v1 import message_pb2
from services.gateway.cache.stored_reply import StoredReply
from services.gateway.contexts.delivery import Delivery

COMMON = pb.BuildContextResponse(
    messages=[message_pb2.Message(content="Evidence."), message_pb2.Message(content="Why?")],
    tokens=pb.TokenUsage(total=7),
    cache=pb.CACHE_STATUS_MISS,
    corpus_version=3,
)


def test_what_is_the_callers_own_stands_beside_what_all_get_and_in_its_place() -> None:
    own = pb.BuildContextResponse(request_id="r", cache=pb.CACHE_STATUS_HIT)
    delivery = Delivery(own, StoredReply.of(COMMON.SerializeToString()))
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
