"""Messages in the form that most LLM libraries take."""

from collections.abc import Iterable

from scic.type.v1 import message_pb2

_ROLES = {
    message_pb2.ROLE_SYSTEM: "system",
    message_pb2.ROLE_USER: "user",
    message_pb2.ROLE_ASSISTANT: "assistant",
}


def chat_messages(messages: Iterable[message_pb2.Message]) -> list[dict[str, str]]:
    """The messages of a context as `[{"role", "content"}, ...]`, as OpenAI-compatible APIs take them."""
    return [{"role": _ROLES[message.role], "content": message.content} for message in messages]
