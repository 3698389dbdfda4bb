"""Documents to passages: pure functions that cut a document where its own structure allows it.

chunks = chunk(SourceDocument("docs/a.md", "", "text/markdown", text))
source = format_of("text/markdown").kind  # also the name of the source a document belongs to by default
"""

from services.gateway.chunking.document import Chunk, SourceDocument
from services.gateway.chunking.errors import ChunkingError, ChunkingReason
from services.gateway.chunking.formats import FORMATS, Format, Kind, chunk, format_of

__all__ = [
    "FORMATS",
    "Chunk",
    "ChunkingError",
    "ChunkingReason",
    "Format",
    "Kind",
    "SourceDocument",
    "chunk",
    "format_of",
]
