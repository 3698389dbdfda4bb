"""What ingestion finds in a passage, kept with it so that a request need not look again."""

import json
from collections.abc import Mapping, Sequence

from services.gateway.guard.detect import Detectors
from services.gateway.guard.policy import SensitiveType
from services.gateway.guard.sensitive import Sensitive

_VERSION = b"3 "
"""Goes up with what the detectors find: passages of an older one are looked at again when they are asked for."""


def scan_passage(detectors: Detectors, title_path: Sequence[str], text: str, metadata: Mapping[str, str]) -> bytes:
    """What is found in titles, text and metadata of a passage. Never empty. Raises DetectorError."""
    found = detectors.find(passage_text(title_path, text, metadata))
    return _VERSION + json.dumps([(value.type.value, value.text) for value in found], ensure_ascii=False).encode()


def read_scan(data: bytes) -> tuple[Sensitive, ...] | None:
    """The values, longest first; None where nobody looked, another version did, or it cannot be read."""
    if not is_scanned(data):
        return None
    try:
        found = json.loads(data[len(_VERSION) :])
        return tuple(Sensitive(SensitiveType(kind), text) for kind, text in found)
    except (ValueError, TypeError):
        return None


def is_scanned(data: bytes) -> bool:
    """Whether the detectors of this version looked at the passage."""
    return data.startswith(_VERSION)


def passage_text(title_path: Sequence[str], text: str, metadata: Mapping[str, str]) -> str:
    """All parts of a passage as one text. Metadata keeps its keys, since they tell what a value is.

    The ids are no part of it: they are names, and shown as they are.
    """
    return "\n\n".join([*title_path, text, *(f"{key}: {value}" for key, value in metadata.items())])
