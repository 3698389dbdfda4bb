"""Calls of a script in Redis that go together: one round trip for all that come while another is under way."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from functools import partial
from typing import Any, Final, TypeAlias

import hiredis
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError, ResponseError

from services.chassis.breaker import Breaker
from services.gateway.cache.ports import CacheUnavailableError
from services.gateway.redis.calls import QUEUE_SECONDS, GatewayBusyError, Patience, call

RedisCall: TypeAlias = Callable[[Sequence[str], Sequence[Any]], Awaitable[Any]]
"""Calls a script with keys and arguments. Raises CacheUnavailableError, see `redis.calls.call`."""

_MOST: Final = 64
"""Calls of one batch: what each costs Redis, the others wait for."""

_GATHERING_SECONDS: Final = 0.002
_MANY: Final = 3
"""What the next batch waits for more, where the last was of so many: each batch has a price of its own. Two callers in
step need not wait for a third."""


def script_call(
    redis: Redis | RedisCluster, breaker: Breaker, source: str, patience: Patience | None = None
) -> RedisCall:
    """Calls of a script: of one server in batches, of a cluster each by itself.

    redis-py's pipeline over a cluster closes all connections of its client when one is lost.
    """
    if isinstance(redis, Redis):
        return _Batches(redis, breaker, source, patience)
    script = redis.register_script(source)
    return lambda keys, args: call(breaker, lambda: script(keys=keys, args=args), patience)


class _Call:
    __slots__ = ("args", "keys", "reply", "since")

    def __init__(self, keys: Sequence[str], args: Sequence[Any]) -> None:
        self.keys = keys
        self.args = args
        self.since = time.monotonic()
        self.reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()


class _Batches:
    """Sends one batch after the other; a call does not wait for others, unless many come.

    So one connection does, and it is kept: taking one out of redis-py's pool and giving it back for each batch, and
    its packing of commands, cost as much as all else here.
    """

    def __init__(self, redis: Redis, breaker: Breaker, source: str, patience: Patience | None) -> None:
        self._redis = redis
        self._breaker = breaker
        self._patience = patience
        self._script = redis.register_script(source)
        self._connection: AbstractConnection | None = None
        self._gathered: list[_Call] = []
        self._sending: asyncio.Task[None] | None = None

    async def __call__(self, keys: Sequence[str], args: Sequence[Any]) -> Any:
        one = _Call(keys, args)
        self._gathered.append(one)
        if self._sending is None:
            # A context of its own: what goes wrong is not of the request that happened to be the first.
            self._sending = asyncio.create_task(self._send_all(), context=Context())
        return await one.reply

    async def _send_all(self) -> None:
        batch: Sequence[_Call] = ()
        try:
            await asyncio.sleep(0)  # under load more come with the next turn of the loop, and go along
            while batch := self._next():
                try:
                    replies = await call(self._breaker, partial(self._send, batch), self._patience)
                except CacheUnavailableError as error:
                    # One for each: whoever raises it adds to its traceback.
                    replies = [type(error)(*error.args) for _ in batch]
                for one, reply in zip(batch, replies, strict=True):
                    _answer(one, reply)
                if len(batch) >= _MANY:
                    await asyncio.sleep(_GATHERING_SECONDS)
        finally:
            self._sending = None
            # Nobody is left, but where this ends before its time.
            for one in (*batch, *self._gathered):
                _answer(one, CacheUnavailableError("redis: the call was given up"))

    def _next(self) -> list[_Call]:
        """Those that are sent next; who left is left out, who waited too long is refused."""
        gathered, self._gathered = self._gathered, []
        oldest = time.monotonic() - QUEUE_SECONDS
        batch = list[_Call]()
        for one in gathered:
            if one.reply.done():
                continue
            if one.since < oldest:
                _answer(one, GatewayBusyError("redis: too many calls wait"))
            elif len(batch) < _MOST:
                batch.append(one)
            else:
                self._gathered.append(one)
        return batch

    async def _send(self, batch: Sequence[_Call]) -> Sequence[Any]:
        replies = await self._ask(batch)
        if unknown := [place for place, reply in enumerate(replies) if isinstance(reply, NoScriptError)]:
            # Redis was started anew, and has done nothing for these.
            await self._redis.script_load(self._script.script)
            again = await self._ask([batch[place] for place in unknown])
            for place, reply in zip(unknown, again, strict=True):
                replies[place] = reply
        if all(isinstance(reply, RedisError) for reply in replies):
            raise replies[0]  # so that it counts against Redis
        return replies

    async def _ask(self, batch: Sequence[_Call]) -> list[Any]:
        sha = self._script.sha
        commands = [hiredis.pack_command(("EVALSHA", sha, len(one.keys), *one.keys, *one.args)) for one in batch]
        try:
            return await self._exchange(commands)
        except RedisConnectionError:
            # Once more, as `connections.RETRY` has it: the connection may have been lost long ago.
            return await self._exchange(commands)

    async def _exchange(self, commands: Sequence[bytes]) -> list[Any]:
        """The replies to commands, in order. Whatever goes wrong closes the connection; the next opens it."""
        if self._connection is None:
            self._connection = await self._redis.connection_pool.get_connection()  # type: ignore[no-untyped-call]  # decorated
        if self._connection.should_reconnect():
            # The server has moved: the pool would see to it, had it the connection back.
            await self._connection.disconnect()
        await self._connection.send_packed_command(commands)
        return [await _reply(self._connection) for _ in commands]


async def _reply(connection: AbstractConnection) -> Any:
    try:
        return await connection.read_response()
    except ResponseError as error:
        return error


def _answer(one: _Call, reply: Any) -> None:
    if one.reply.done():
        return
    if isinstance(reply, RedisError):
        reply = CacheUnavailableError(f"redis: {type(reply).__name__}")
    if isinstance(reply, Exception):
        one.reply.set_exception(reply)
    else:
        one.reply.set_result(reply)
