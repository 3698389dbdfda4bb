"""A gateway that answers for profiles alone: a real server on port 0, and callers by the names of their keys."""

import hashlib
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc.aio
from pydantic import SecretStr

from scic.client.profile_methods import ProfileMethods
from scic.gateway.v1 import profile_service_pb2_grpc as rpc
from services.chassis.app import App
from services.chassis.server import start
from services.gateway.background import Background
from services.gateway.callers.authentication import Authentication
from services.gateway.callers.principal import parse_keys
from services.gateway.profiles.ports import Profiles
from services.gateway.profiles.wiring import wired_profiles
from services.gateway.settings import GatewaySettings
from tests.unit.gateway.profiles.kit import BASE, no_tokens

KEYS = {
    "acme-operator": ("acme", ["reader", "operator"]),
    "acme-reader": ("acme", ["reader"]),
    "acme-admin": ("acme", ["writer", "admin"]),
    "zenith-operator": ("zenith", ["reader", "operator"]),
}


def keys_json():
    return json.dumps(
        {
            "keys": [
                {"id": key, "sha256": hashlib.sha256(key.encode()).hexdigest(), "tenant": tenant, "roles": roles}
                for key, (tenant, roles) in KEYS.items()
            ]
        }
    )


class Caller(ProfileMethods):
    def __init__(self, channel, key):
        self._profiles = rpc.ProfileServiceStub(channel)
        self._metadata = (("authorization", f"Bearer {key}"),)


@dataclass(frozen=True)
class Served:
    address: str
    callers: dict[str, Caller]
    profiles: Profiles
    """What requests would follow."""


@asynccontextmanager
async def served(storage):
    profiles = []

    @asynccontextmanager
    async def build(health):
        async with (
            Background() as background,
            wired_profiles(
                storage,
                base=BASE,
                shared_tenant=None,
                keep_days=90,
                keep_count=20,
                fixed_tokens=no_tokens,
                max_deadline_seconds=60.0,
                spawn=background.spawn,
            ) as wired,
        ):
            profiles.append(wired.profiles)

            def register(server):
                rpc.add_ProfileServiceServicer_to_server(wired.servicer, server)

            yield App("gateway", register, (), (Authentication(parse_keys(keys_json(), origin="test")),))

    settings = GatewaySettings(port=0, metrics_port=None, drain_seconds=0, grace_seconds=1, keys=SecretStr(keys_json()))
    async with start(build, settings) as port, grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Served(f"127.0.0.1:{port}", {key: Caller(channel, key) for key in KEYS}, *profiles)
