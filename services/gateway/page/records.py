"""The records as JSON, for who has a key: what LedgerService lists and returns, over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiohttp import hdrs, web
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from structlog.contextvars import bind_contextvars

from scic import errors
from scic.gateway.v1 import ledger_service_pb2 as pb
from services.chassis.interceptors import check
from services.gateway.callers.authentication import bearer
from services.gateway.callers.principal import KeyRing, Principal, Role
from services.gateway.ledger.ports import Records

_DEADLINE_SECONDS = 10.0
"""Below the edge's 15 s, so that the page hears what took too long."""


class RecordRoutes:
    """Answers for the paths below /ledger/api. The key's tenant, and no other, is read."""

    def __init__(self, keys: KeyRing, ledger: Records) -> None:
        self._keys = keys
        self._ledger = ledger

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add both paths; their names are the operations of logs and metrics."""
        router.add_get("/ledger/api/records", self._list, name="LedgerPage.ListRecords")
        router.add_get("/ledger/api/records/{record_id}", self._get, name="LedgerPage.GetRecord")

    async def _list(self, request: web.Request) -> web.Response:
        principal = self._reader(request)
        asked = pb.ListRecordsRequest(
            page_token=request.query.get("page_token", ""),
            profile=request.query.get("profile", ""),
            only_troubled=_flag(request.query, "troubled"),
        )
        check(asked)
        async with _deadline():
            found = await self._ledger.list(principal, asked)
        return await _json(found)

    async def _get(self, request: web.Request) -> web.Response:
        principal = self._reader(request)
        asked = pb.GetRecordRequest(record_id=request.match_info["record_id"])
        check(asked)
        async with _deadline():
            record = await self._ledger.get(principal, asked.record_id)
        return await _json(pb.GetRecordResponse(record=record))

    def _reader(self, request: web.Request) -> Principal:
        principal = bearer(self._keys, request.headers.get(hdrs.AUTHORIZATION))
        bind_contextvars(tenant=principal.tenant, key_id=principal.key_id)
        if Role.READER not in principal.roles:
            raise errors.ROLE_REQUIRED.error("the ledger needs the role reader", metadata={"role": Role.READER.value})
        return principal


def _flag(query: Mapping[str, str], name: str) -> bool:
    value = query.get(name, "0")
    if value not in {"0", "1"}:
        raise errors.INVALID_FIELD.error(f"{name}: must be 0 or 1", field_violations=[(name, "must be 0 or 1")])
    return value == "1"


@asynccontextmanager
async def _deadline() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(_DEADLINE_SECONDS):
            yield
    except TimeoutError:
        raise errors.DEADLINE_EXCEEDED.error(f"the ledger did not answer within {_DEADLINE_SECONDS:g} s") from None


async def _json(message: Message) -> web.Response:
    # A record of a hundred passages takes tens of milliseconds.
    text = await asyncio.to_thread(MessageToJson, message, always_print_fields_with_no_presence=True, indent=None)
    return web.Response(text=text, content_type="application/json")
