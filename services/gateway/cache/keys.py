"""The names of a tenant's cache in Redis, in one place: what makes a key and what removes it must agree.

The braces make all keys of a tenant fall into one slot, so one round trip and one script serve on Redis Cluster too.
"""


def cache_keys(tenant: str) -> list[str]:
    """State, changes, entries, aliases, uses and expiries of a tenant, in the order that `redis_scripts` has them."""
    return [_name(tenant, kind) for kind in ("state", "changes", "entries", "aliases", "used", "expiries")]


def flight_key(tenant: str, exact: str) -> str:
    """Who computes a reply, and how long he may be silent."""
    return _name(tenant, f"flight:{exact}")


def flight_topic(tenant: str, exact: str) -> str:
    """What is spoken of when the reply is there, or when nobody computes it any more."""
    return f"flight:{tenant}:{exact}"


def _name(tenant: str, kind: str) -> str:
    return f"scic:{{{tenant}}}:cache:{kind}"
