"""What the client does with the answer of a call."""

from collections.abc import Awaitable
from typing import TypeVar

import grpc.aio

from scic import errors

_Reply = TypeVar("_Reply")


async def answer(call: Awaitable[_Reply]) -> _Reply:
    """The reply of a call; raises ScicError where it failed."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise errors.from_rpc_error(error) from error
