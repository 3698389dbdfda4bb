"""Who calls: a tenant, roles and groups, known by an API key."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.gateway.admission.priority import Priority

TENANT_PATTERN = re.compile(r"^[a-z0-9][a-z0-9_-]{0,62}$")

_ALL = "*"
"""The group of keys that see every document of their tenant."""

_GROUP = r"^([A-Za-z0-9._@:/+-]{1,128}|\*)$"


class Role(Enum):
    """What a caller may do."""

    READER = "reader"
    """Build contexts and read records."""

    WRITER = "writer"
    """Change the corpus."""

    ADMIN = "admin"
    """Erase subjects and tenants, whoever may see the documents."""

    OPERATOR = "operator"
    """Publish profiles and move their labels: decide what speaks as the system."""


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller of a request."""

    key_id: str
    """Name of the key, fit for logs."""

    tenant: str
    """The tenant that everything the request reads or writes belongs to."""

    roles: frozenset[Role]

    groups: frozenset[str] = frozenset()
    """Groups whose documents it may see, beside those that everybody of the tenant may see."""

    sees_all: bool = False
    """Whether it may see every document of the tenant."""

    trusted: bool = False
    """Whether the tenant vouches for what it ingests into a source that is trusted, too."""

    priority: Priority = Priority.NORMAL
    """Whether it goes before others, or after them, where not all can be served."""


class KeyFileError(ValueError):
    """The keys cannot be read; the message says what is wrong and where, and shows no key."""


class _KeyEntry(BaseModel):
    """One key as the file has it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    tenant: str = Field(pattern=TENANT_PATTERN.pattern)
    roles: frozenset[Role]
    groups: frozenset[Annotated[str, Field(pattern=_GROUP)]] = Field(frozenset(), max_length=256)
    trust: Literal["trusted", "untrusted"] = "untrusted"
    priority: Literal["high", "normal", "low"] = "normal"

    def principal(self) -> Principal:
        sees_all = _ALL in self.groups
        return Principal(
            self.id,
            self.tenant,
            self.roles,
            frozenset() if sees_all else self.groups,
            sees_all=sees_all,
            trusted=self.trust == "trusted",
            priority=Priority[self.priority.upper()],
        )


class _KeyFile(BaseModel):
    """The file: `{"keys": [{"id", "sha256", "tenant", "roles", "groups", "trust", "priority"}]}`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keys: tuple[_KeyEntry, ...]


class KeyRing:
    """Principals by the SHA-256 of their keys.

    A plain hash is right here: keys are random 256-bit tokens, so there is nothing to guess, and a lookup must not
    cost a request milliseconds. Looking up a digest also leaks nothing about the key by its timing.
    """

    def __init__(self, principals: Mapping[bytes, Principal]) -> None:
        self._principals = dict(principals)
        self._by_id = {principal.key_id: principal for principal in principals.values()}

    def find(self, key: str) -> Principal | None:
        """The principal of a key; None where no such key is known."""
        return self._principals.get(hashlib.sha256(key.encode()).digest())

    def by_id(self, key_id: str) -> Principal | None:
        """The principal of the key with this name; None where there is none any more."""
        return self._by_id.get(key_id)

    def __len__(self) -> int:
        return len(self._principals)


def parse_keys(text: str, *, origin: str) -> KeyRing:
    """Reads the JSON form of the keys. Raises KeyFileError, naming `origin`, where it is not as it should be."""
    try:
        entries = _KeyFile.model_validate_json(text).keys
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
        raise KeyFileError(f"{origin}: {problems}") from None
    doubles = _doubles(entry.id for entry in entries) | _doubles(entry.sha256 for entry in entries)
    if doubles:
        raise KeyFileError(f"{origin}: stands twice: {', '.join(sorted(doubles))}")
    return KeyRing({bytes.fromhex(e.sha256): e.principal() for e in entries})


def read_keys(path: Path) -> KeyRing:
    """Reads a file of keys. Raises KeyFileError where it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(f"{path}: cannot be read: {error}") from error
    return parse_keys(text, origin=str(path))


def _doubles(values: Iterable[str]) -> set[str]:
    seen: set[str] = set()
    return {value for value in values if value in seen or seen.add(value)}  # type: ignore[func-returns-value]  # set.add returns None
