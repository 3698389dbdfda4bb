"""Keys of two tenants."""

from __future__ import annotations

import hashlib

from services.gateway.callers.principal import KeyRing, Principal, Role

READER, WRITER, STRANGER = "reader-key-of-acme", "writer-key-of-acme", "reader-key-of-globex"


def ring() -> KeyRing:
    principals = {
        READER: Principal("ops-bot", "acme", frozenset({Role.READER})),
        WRITER: Principal("importer", "acme", frozenset({Role.WRITER})),
        STRANGER: Principal("other", "globex", frozenset({Role.READER})),
    }
    return KeyRing({hashlib.sha256(key.encode()).digest(): principal for key, principal in principals.items()})
