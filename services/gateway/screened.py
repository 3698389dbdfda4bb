"""A request as everything but search and compression sees it: personal data and secrets masked."""

from scic.gateway.v1 import context_service_pb2 as pb
from services.gateway.guard.guard import Screen


def screened(request: pb.BuildContextRequest, screen: Screen) -> pb.BuildContextRequest:
    """The request with every text in it as the guard leaves it; the very same where the profile's guard does nothing.

    Raises ScicError SENSITIVE_CONTENT or GUARD_FAILED, naming the field.
    """
    if not screen.acts:
        return request
    shown = pb.BuildContextRequest()
    shown.CopyFrom(request)
    shown.question = screen.read("question", request.question)
    shown.conversation_id = screen.read("conversation_id", request.conversation_id)
    for number, turn in enumerate(shown.conversation):
        turn.text = screen.read(f"conversation[{number}].text", turn.text)
    for number, condition in enumerate(shown.filter):
        for index, value in enumerate(condition.any_of):
            condition.any_of[index] = screen.read(f"filter[{number}].any_of[{index}]", value)
    for number, passage in enumerate(shown.passages):
        passage.passage_id = screen.read(f"passages[{number}].passage_id", passage.passage_id)
        passage.title = screen.read(f"passages[{number}].title", passage.title)
        passage.text = screen.read(f"passages[{number}].text", passage.text)
    return shown
