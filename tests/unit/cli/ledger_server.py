"""A ledger behind gRPC in a process of its own: prints its port, and ends with its standard input."""

import asyncio
import hashlib
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from obstore.store import MemoryStore
from pydantic import SecretStr

from scic import errors
from scic.gateway.v1 import ledger_service_pb2_grpc
from services.chassis.app import App
from services.chassis.health import Health
from services.chassis.logs import configure_logs
from services.chassis.server import start
from services.gateway.callers.authentication import Authentication
from services.gateway.callers.principal import parse_keys
from services.gateway.ledger.servicer import LedgerServicer
from services.gateway.ledger.wiring import open_ledger
from services.gateway.settings import GatewaySettings
from tests.fake_contexts import DEADLINES
from tests.unit.gateway.ledger.records import ADMIN, NOON, record

KEYS = {"empty": "other", "admin": "acme"}
"""Tenant by key."""

ULID = "01KB0C7Z9GXQ2V5W8Y3T6R4M1N"
"""A request's own name, which looks like that of a record."""

RECORDS = [
    record(1, "a.md", dropped=["b.md"]),
    record(2, "b.md", at=NOON + 1, degraded=True, profile="support", request_id=ULID),
    record(3, at=NOON + 2, failed=True, question=""),
]


class Replay:
    """Finds one passage more; of the second record the corpus has gone."""

    async def replay(self, principal, record_, profile, *, present_corpus, deadline):
        if record_.request.request_id == ULID and not present_corpus:
            raise errors.CORPUS_VERSION_GONE.error("the corpus has changed", metadata={"recorded": "7"})
        again = record(1, "a.md", "b.md", version="0011223344556677" if profile else "").response
        again.corpus_version = 8 if present_corpus else 7
        return again


@asynccontextmanager
async def build(health: Health) -> AsyncIterator[App]:
    async with open_ledger(MemoryStore(), None, days=36_500, max_records=1000) as ledger:
        for one in RECORDS:
            ledger.record(ADMIN, one)
        await ledger.flush()
        servicer = LedgerServicer(ledger, Replay(), DEADLINES)
        yield App(
            "gateway",
            lambda server: ledger_service_pb2_grpc.add_LedgerServiceServicer_to_server(servicer, server),
            (),
            (Authentication(parse_keys(keys_json(), origin="test")),),
        )


def keys_json() -> str:
    entries = [
        {
            "id": key,
            "sha256": hashlib.sha256(key.encode()).hexdigest(),
            "tenant": tenant,
            "roles": ["reader"],
            "groups": ["*"],
        }
        for key, tenant in KEYS.items()
    ]
    return json.dumps({"keys": entries})


async def main() -> None:
    configure_logs("warning", service="gateway")  # away from where the port is printed
    settings = GatewaySettings(port=0, metrics_port=None, drain_seconds=0, grace_seconds=1, keys=SecretStr(keys_json()))
    async with start(build, settings) as port:
        print(port, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
