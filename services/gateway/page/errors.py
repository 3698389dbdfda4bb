"""Errors as HTTP answers: `{"code", "reason", "message"}` and the status that fits the canonical code."""

import json
from collections.abc import Mapping
from types import MappingProxyType

import grpc
from aiohttp import web

from scic.errors import ScicError

_CODE = grpc.StatusCode

HTTP_STATUS: Mapping[grpc.StatusCode, int] = MappingProxyType(
    {
        _CODE.INVALID_ARGUMENT: 400,
        _CODE.FAILED_PRECONDITION: 400,
        _CODE.UNAUTHENTICATED: 401,
        _CODE.PERMISSION_DENIED: 403,
        _CODE.NOT_FOUND: 404,
        _CODE.ABORTED: 409,
        _CODE.RESOURCE_EXHAUSTED: 429,
        _CODE.UNIMPLEMENTED: 501,
        _CODE.UNAVAILABLE: 503,
        _CODE.DEADLINE_EXCEEDED: 504,
    }
)
"""As google.rpc.Code maps them (googleapis google/rpc/code.proto); any other code is 500."""

_REFUSALS = MappingProxyType({404: _CODE.NOT_FOUND, 405: _CODE.UNIMPLEMENTED})


def error_response(error: ScicError) -> web.Response:
    """The answer to an error of the mesh."""
    return web.json_response(
        _body(error.code.name, error.reason, error.message), status=HTTP_STATUS.get(error.code, 500)
    )


def as_json(refused: web.HTTPException) -> web.HTTPException:
    """What the router refuses, such as an unknown path or another method, with a body like that of any other error."""
    code = _REFUSALS.get(refused.status, _CODE.INVALID_ARGUMENT).name
    refused.text = json.dumps(_body(code, code, refused.reason))
    refused.content_type = "application/json"
    return refused


def _body(code: str, reason: str, message: str) -> dict[str, str]:
    return {"code": code, "reason": reason, "message": message}
