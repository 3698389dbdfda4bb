"""The documents that a reply is made of."""

from scic.gateway.v1 import context_service_pb2 as pb
from scic.selector.v1 import selector_service_pb2 as selector


def documents_of(response: pb.BuildContextResponse) -> list[str]:
    """Documents that a reply names as evidence or as left out, in order. What came with the request has none."""
    named = {item.document_id for item in response.evidence} | {item.document_id for item in response.dropped}
    return sorted(named - {""})


def documents_of_selection(selection: selector.SelectResponse) -> list[str]:
    """Documents whose passages a source gave, in order."""
    return sorted({scored.passage.document_id for scored in selection.passages} - {""})
