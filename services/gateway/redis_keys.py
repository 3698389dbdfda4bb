"""The names of a tenant's keys in Redis, in one place: what makes one, and what removes all of them, must agree.

The braces make all keys of a tenant fall into one slot, so one round trip and one script serve on Redis Cluster too.
"""

FLOOR_TTL_MS = 8 * 24 * 3600 * 1000
"""How long a floor is kept: longer than any entry lives (a week, by the settings, and a tenth)."""


def version_key(tenant: str) -> str:
    """The corpus version, for as long as it may be trusted without asking the selector."""
    return f"scic:{{{tenant}}}:version"


def floor_key(tenant: str) -> str:
    """The corpus version with which something was last removed or replaced.

    Whatever was made of an older version is dead for good, even where nobody knows the present version.
    """
    return f"scic:{{{tenant}}}:floor"


def context_key(tenant: str, fingerprint: str) -> str:
    """A cached reply."""
    return f"scic:{{{tenant}}}:context:{fingerprint}"


def selection_key(tenant: str, fingerprint: str) -> str:
    """What a source gave, for when it cannot be searched."""
    return f"scic:{{{tenant}}}:selection:{fingerprint}"


def all_keys(tenant: str) -> str:
    """A pattern for SCAN that all keys of the tenant match, and no other's."""
    return f"scic:{{{tenant}}}:*"
