"""What ingestion finds in a passage, kept with it so that a request need not look again."""

import json
from collections.abc import Mapping, Sequence

from services.gateway.guard.detect import Detectors
from services.gateway.guard.policy import SensitiveType
from services.gateway.guard.sensitive import Sensitive

_VERSION = b"1"
"""Goes up with what the detectors find: passages of an older one are looked at again when they are asked for."""


def scan_passage(
    detectors: Detectors, title_path: Sequence[str], text: str, metadata: Mapping[str, str], document_id: str
) -> bytes:
    """What is found in all that a prompt or a reply may show of a passage. Never empty. Raises DetectorError."""
    found = detectors.find(passage_text(title_path, text, metadata, document_id))
    return _VERSION + json.dumps([(value.type.value, value.text) for value in found], ensure_ascii=False).encode()


def read_scan(data: bytes) -> tuple[Sensitive, ...] | None:
    """The values, longest first; None where nobody looked, or another version did."""
    if not data.startswith(_VERSION):
        return None
    return tuple(Sensitive(SensitiveType(kind), text) for kind, text in json.loads(data[len(_VERSION) :]))


def passage_text(title_path: Sequence[str], text: str, metadata: Mapping[str, str], document_id: str) -> str:
    """All parts of a passage as one text. Metadata keeps its keys, since they tell what a value is."""
    return "\n\n".join([*title_path, text, *(f"{key}: {value}" for key, value in metadata.items()), document_id])
