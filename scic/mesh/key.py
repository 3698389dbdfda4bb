"""The laptop's API key: made once, kept in clear for this user and hashed for the gateways."""

import hashlib
import json
import secrets

from scic.mesh.errors import MeshError
from scic.mesh.files import write_private
from scic.mesh.paths import MeshPaths

KEY_ID = "laptop"
TENANT = "laptop"
ROLES = ("reader", "writer", "admin", "operator")
GROUPS = ("*",)
"""The laptop's owner sees every document."""
TRUST = "trusted"
"""The owner vouches for what comes in by this key, where the source is one to be trusted."""


def ensure_key(paths: MeshPaths) -> str:
    """The API key of this data directory, made at its first start.

    `keys.json` may hold further keys that a person added: they stay; the laptop's own entry is made anew where an older
    version wrote it. Raises MeshError where it cannot be read.
    """
    if not paths.api_key.exists():
        write_private(paths.api_key, f"scic_{secrets.token_urlsafe(32)}\n")
    key = paths.api_key.read_text(encoding="utf-8").strip()
    entries = _read_entries(paths)
    own = _entry(key)
    if own not in entries:
        others = [entry for entry in entries if not (isinstance(entry, dict) and entry.get("id") == KEY_ID)]
        write_private(paths.keys, json.dumps({"keys": [own, *others]}, indent=2) + "\n")
    return key


def _entry(key: str) -> dict[str, object]:
    # 256 random bits need no slow hash: there is nothing to guess.
    digest = hashlib.sha256(key.encode()).hexdigest()
    return {
        "id": KEY_ID,
        "sha256": digest,
        "tenant": TENANT,
        "roles": list(ROLES),
        "groups": list(GROUPS),
        "trust": TRUST,
    }


def _read_entries(paths: MeshPaths) -> list[object]:
    if not paths.keys.exists():
        return []
    try:
        entries = json.loads(paths.keys.read_text(encoding="utf-8"))["keys"]
    except (ValueError, KeyError, TypeError) as error:
        raise MeshError(
            f'{paths.keys} is not a key file (JSON with a list "keys"): mend it or move it away.'
        ) from error
    if not isinstance(entries, list):
        raise MeshError(f'{paths.keys} is not a key file: "keys" is not a list.')
    return entries
