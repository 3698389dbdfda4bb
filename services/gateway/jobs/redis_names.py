"""Names of the queue's keys in Redis.

The braces make all keys of a tenant fall into one slot, so one script sees all of them on Redis Cluster too. They do
not begin with `scic:`: what empties a tenant's cache leaves its jobs alone.
"""

REGISTRY = "scic-jobs:tenants"
"""Tenants with jobs, by when they were last heard of. It lies in a slot of its own, so no step covers it and a job."""

PRIORITIES = 5

_OF_TENANT = ("state", "delayed", "leases", "running", "index", "expiring", "erased")


def tenant_keys(tenant: str) -> list[str]:
    """What every script is given: see `redis_scripts`, which takes them apart."""
    names = [*_OF_TENANT, *(f"queue:{priority}" for priority in range(1, PRIORITIES + 1)), "leaving"]
    return [_key(tenant, name) for name in names]


def job_keys(tenant: str, job_id: str) -> list[str]:
    """What is kept of a job."""
    return [_key(tenant, f"{name}:{job_id}") for name in ("job", "results", "named", "events")]


def _key(tenant: str, name: str) -> str:
    return f"scic-jobs:{{{tenant}}}:{name}"
