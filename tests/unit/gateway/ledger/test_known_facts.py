"""Facts of replies that were recorded of late."""

import pytest

from scic.gateway.v1 import context_service_pb2 as context
from services.gateway.cache.packing import UnreadableError, pack
from services.gateway.ledger import known_facts
from services.gateway.ledger.known_facts import KnownFacts
from services.gateway.ledger.summary import facts_of


def reply(number: int) -> context.BuildContextResponse:
    made = context.BuildContextResponse(profile=f"profile-{number}", model="gpt-4o")
    made.evidence.add().document_id = f"document-{number}"
    return made


def test_the_facts_are_those_of_the_reply_known_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_facts, "_MOST", 2)
    known = KnownFacts()
    for number in (1, 2, 1, 3, 2, 1):
        assert known.of(pack(reply(number).SerializeToString())) == facts_of(reply(number))


def test_a_reply_is_unpacked_once_while_it_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked = list[bytes]()

    def unpack(packed: bytes) -> bytes:
        unpacked.append(packed)
        return reply(1).SerializeToString()

    monkeypatch.setattr(known_facts, "unpack", unpack)
    monkeypatch.setattr(known_facts, "_MOST", 2)
    known = KnownFacts()
    for packed in (b"a", b"b", b"a", b"c", b"a", b"b"):
        known.of(packed)
    assert unpacked == [b"a", b"b", b"c", b"b"], "of three the one that was used longest ago had gone"


def test_what_cannot_be_unpacked_is_not_known() -> None:
    with pytest.raises(UnreadableError):
        KnownFacts().of(b"no reply")
