"""A request as everything but search and compression sees it: personal data and secrets masked."""

from collections.abc import Callable

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
    _change_each_text(shown, screen.read)
    if screen.masks:
        # What a later text introduces as a secret may stand in an earlier one without a word.
        _change_each_text(shown, lambda _, text: screen.mask(text))
    return shown


def _change_each_text(request: pb.BuildContextRequest, change: Callable[[str, str], str]) -> None:
    """Exchanges each text for what `change` makes of it, given the path of its field."""
    request.question = change("question", request.question)
    request.conversation_id = change("conversation_id", request.conversation_id)
    for number, turn in enumerate(request.conversation):
        turn.text = change(f"conversation[{number}].text", turn.text)
    for number, condition in enumerate(request.filter):
        for index, value in enumerate(condition.any_of):
            condition.any_of[index] = change(f"filter[{number}].any_of[{index}]", value)
    for number, passage in enumerate(request.passages):
        passage.passage_id = change(f"passages[{number}].passage_id", passage.passage_id)
        passage.title = change(f"passages[{number}].title", passage.title)
        passage.text = change(f"passages[{number}].text", passage.text)
