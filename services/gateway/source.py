"""The sources a corpus has, and their kinds."""

from scic.type.v1 import source_pb2

SOURCES = {
    "docs": source_pb2.SOURCE_KIND_DOCS,
    "code": source_pb2.SOURCE_KIND_CODE,
    "history": source_pb2.SOURCE_KIND_HISTORY,
}
"""Kind by name. A document's source decides how its text is ranked and compressed."""
