"""What a tenant's name may be, in every store."""

from __future__ import annotations

import re
from typing import Final

from services.selector.errors import InvalidTenantError

_TENANT: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def is_tenant(name: str) -> bool:
    """Tell whether this is the name of a tenant."""
    return _TENANT.fullmatch(name) is not None


def checked_tenant(name: str) -> str:
    """Return the name. Raises `InvalidTenantError`."""
    if not is_tenant(name):
        raise InvalidTenantError(f"{name!r} is no name of a tenant")
    return name
