"""scic: the best context that fits a token budget, over gRPC."""

from scic.client import Client, Turn, chat_messages
from scic.errors import ScicError

__all__ = ["Client", "ScicError", "Turn", "chat_messages"]
