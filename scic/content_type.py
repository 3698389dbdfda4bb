"""What a file holds, by the ending of its name."""

from collections.abc import Mapping
from pathlib import PurePath
from types import MappingProxyType

DOCUMENTS: Mapping[str, str] = MappingProxyType(
    {
        ".md": "text/markdown",
        ".markdown": "text/markdown",
        ".html": "text/html",
        ".htm": "text/html",
        ".pdf": "application/pdf",
        ".py": "text/x-python",
        ".pyi": "text/x-python",
        **dict.fromkeys((".js", ".mjs", ".cjs", ".jsx"), "text/javascript"),
        **dict.fromkeys((".ts", ".mts", ".cts", ".tsx"), "text/typescript"),
        ".go": "text/x-go",
        ".java": "text/x-java",
        ".jsonl": "application/x-ndjson",
        ".ndjson": "application/x-ndjson",
        **dict.fromkeys((".txt", ".rst", ".proto", ".toml", ".yaml", ".yml"), "text/plain"),
    }
)
"""What can be ingested, by suffix in lower case. JSON is not: in a project it is data more often than text."""

_TEXTS = {**DOCUMENTS, ".json": "application/json"}


def content_type_of(name: str) -> str:
    """The content type that a file's name speaks of; empty where its ending is not known."""
    return _TEXTS.get(PurePath(name).suffix.lower(), "")
