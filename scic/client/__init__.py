"""The client of the mesh: one typed async method for each method of the gateway."""

from scic.client.client import Client
from scic.client.messages import chat_messages
from scic.client.pseudonyms import restore
from scic.client.request import ContextOptions, Turn, context_request
from scic.gateway.v1.corpus_service_pb2 import DocumentInput

__all__ = ["Client", "ContextOptions", "DocumentInput", "Turn", "chat_messages", "context_request", "restore"]
