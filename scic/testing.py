"""The whole mesh in one process, for tests: real services, real store, real encoder, on free ports; no Envoy.

    async with scic.testing.mesh() as mesh, mesh.client() as client:
        async for result in client.ingest_documents([...]): ...
        built = await client.build_context("...", max_tokens=1000)

It needs the services, which the client-only install does not have: install a checkout with its extra `mesh`
(`pip install -e path/to/scic[mesh]`).
"""

import hashlib
import importlib
import json
import secrets
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import platformdirs

from scic.client import Client

__all__ = ["Mesh", "ServicesMissingError", "mesh"]

_ROLES = ("reader", "writer", "admin", "operator")
_GROUP_ROLES = ("reader", "writer")


class ServicesMissingError(ImportError):
    """The services are not on the Python path."""


@dataclass(frozen=True, slots=True)
class Mesh:
    """A running mesh."""

    address: str
    """host:port of the gateway."""

    api_keys: Mapping[str, str]
    """API key by tenant: it has all roles, sees every document and is trusted."""

    group_keys: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """API key by tenant and group: a reader and writer that is in no other group."""

    def client(self, tenant: str = "test", *, group: str | None = None) -> Client:
        """A client of a tenant, with the key of a group if one is named; close it, or use it as a context manager."""
        return Client(self.address, api_key=self.api_keys[tenant] if group is None else self.group_keys[tenant, group])


@asynccontextmanager
async def mesh(
    *,
    data_dir: Path | None = None,
    redis_url: str | None = None,
    tenants: Sequence[str] = ("test",),
    groups: Sequence[str] = (),
) -> AsyncIterator[Mesh]:
    """Runs a mesh on the present event loop for as long as the context lasts.

    Args:
        data_dir: where documents, profiles and ledger are kept; by default a temporary folder that goes with the mesh.
        redis_url: Redis for cache and jobs, which one worker does; by default there are neither, and replies say so.
        tenants: tenants to make an API key for.
        groups: groups of which every tenant gets a key, beside the one that sees every document.
    """
    keys = {tenant: _new_key() for tenant in tenants}
    group_keys = {(tenant, group): _new_key() for tenant in tenants for group in groups}
    entries = [_key_entry(tenant, tenant, key, _ROLES, "*") for tenant, key in keys.items()]
    entries += [
        _key_entry(f"{tenant}.{number}", tenant, key, _GROUP_ROLES, group)
        for number, ((tenant, group), key) in enumerate(group_keys.items())
    ]
    models = Path(platformdirs.user_cache_dir("scic")) / "models"
    async with AsyncExitStack() as stack:
        folder = data_dir or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="scic-")))
        selector = await _start(stack, "selector", data_dir=folder, model_dir=models)
        compressor = await _start(stack, "compressor", model_dir=models)
        composer = await _start(stack, "composer")
        settings: dict[str, Any] = {
            "selector_address": selector,
            "compressor_address": compressor,
            "composer_address": composer,
            "redis_url": redis_url,
            "keys": json.dumps({"keys": entries}),
            "storage_url": f"file://{folder.absolute()}/objects",
            "page_port": None,
        }
        if redis_url is not None:
            await _start(stack, "gateway", app="worker_app", role="worker", **settings)
        gateway = await _start(stack, "gateway", **settings)
        yield Mesh(gateway, keys, group_keys)


async def _start(stack: AsyncExitStack, service: str, *, app: str = "app", **settings: object) -> str:
    """Starts a service, or another role of it, on a free port and returns its address."""
    root, settings_class, server = _load(service, app)
    # The prefix keeps the settings of a mesh that this environment may be meant for out of the tests.
    configured = settings_class(
        _env_prefix="SCIC_TESTING_", port=0, metrics_port=None, drain_seconds=0, grace_seconds=1, **settings
    )
    port = await stack.enter_async_context(server.start(root.build(configured), configured))
    return f"127.0.0.1:{port}"


def _load(service: str, app: str) -> tuple[Any, Any, Any]:
    # By name, at run time: the package that other teams install must not depend on what we deploy.
    try:
        root = importlib.import_module(f"services.{service}.{app}")
        settings = importlib.import_module(f"services.{service}.settings")
        server = importlib.import_module("services.chassis.server")
    except ImportError as error:
        raise ServicesMissingError(
            "scic.testing needs the services: install a checkout of scic with its extra `mesh`"
        ) from error
    return root, getattr(settings, f"{service.title()}Settings"), server


def _new_key() -> str:
    return f"scic_{secrets.token_urlsafe(32)}"


def _key_entry(key_id: str, tenant: str, key: str, roles: Sequence[str], group: str) -> dict[str, object]:
    digest = hashlib.sha256(key.encode()).hexdigest()
    trust = "trusted" if group == "*" else "untrusted"
    return {"id": key_id, "sha256": digest, "tenant": tenant, "roles": roles, "groups": [group], "trust": trust}
