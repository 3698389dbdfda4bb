"""What a reply or a selection is made of."""

from scic.gateway.v1 import context_service_pb2 as pb
from scic.selector.v1 import selector_service_pb2 as selector
from scic.type.v1 import passage_pb2
from services.gateway.cache.documents import documents_of, documents_of_selection


def test_a_reply_names_documents_as_evidence_and_as_left_out() -> None:
    response = pb.BuildContextResponse(
        evidence=[pb.Evidence(document_id=name) for name in ("b", "a", "")],
        dropped=[pb.DroppedPassage(document_id=name) for name in ("c", "a", "")],
    )
    assert documents_of(response) == ["a", "b", "c"]


def test_a_selection_names_those_of_its_passages() -> None:
    passages = [passage_pb2.Passage(document_id=name) for name in ("b", "a", "b")]
    selection = selector.SelectResponse(passages=[selector.ScoredPassage(passage=one) for one in passages])
    assert documents_of_selection(selection) == ["a", "b"]
