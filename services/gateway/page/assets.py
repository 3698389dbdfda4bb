"""The page's own files. They hold no data of anybody."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent / "static"
_CONTENT_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent."""

    body: bytes
    content_type: str


def read_assets() -> Mapping[str, Asset]:
    """Every file by the path it is served at; `index.html` is the folder itself. Reads files: call it in a thread."""
    return {
        f"/ledger/{'' if file.name == 'index.html' else file.name}": Asset(
            file.read_bytes(), _CONTENT_TYPES[file.suffix]
        )
        for file in sorted(_FOLDER.iterdir())
    }
