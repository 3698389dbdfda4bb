"""Replies as JSON, with the protos' own names and with defaults written out."""

from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message


def print_json(message: Message) -> None:
    """A message over several lines."""
    print(_json(message, indent=2))


def one_line(message: Message) -> str:
    """A message in a line."""
    return _json(message, indent=None)


def _json(message: Message, indent: int | None) -> str:
    return MessageToJson(
        message, indent=indent, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
