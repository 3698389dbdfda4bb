"""scic: the best context that fits a token budget, over gRPC."""

from scic.client import Client, DocumentInput, Turn, chat_messages, context_request, restore
from scic.errors import ScicError

__version__ = "0.1.0"

__all__ = ["Client", "DocumentInput", "ScicError", "Turn", "__version__", "chat_messages", "context_request", "restore"]
