"""The stages' clients: what a breaker hears, who waits for its trial, and what a failure says."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import grpc
import pytest

from scic import errors
from scic.selector.v1 import selector_service_pb2 as selector
from services.chassis.breaker import Breaker
from services.chassis.channel import stage_channel
from services.chassis.interceptors import chain
from services.gateway.stages.over_grpc import SelectorClient
from services.gateway.stages.stage_error import StageError
from tests.waiting import eventually

STORE_AWAY = errors.STAGE_UNAVAILABLE.error("the store does not answer", metadata={"stage": "selector"})
LONG = 60.0


class Stage:
    """A selector that does as it is told."""

    def __init__(self) -> None:
        self.calls = 0
        self.cancelled = 0
        self.does: Callable[[], Awaitable[None]] = self._answer

    async def _answer(self) -> None:
        pass

    async def hang(self) -> None:
        await asyncio.Event().wait()

    async def select(self, *_: Any) -> selector.SelectResponse:
        self.calls += 1
        try:
            await self.does()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return selector.SelectResponse(corpus_version=7)


class World:
    def __init__(self, stage: Stage, channel: grpc.aio.Channel) -> None:
        self.stage = stage
        self.breaker = Breaker("stage", fail_max=2, reset_timeout=0.0)
        self.client = SelectorClient(channel, self.breaker)

    async def select(self, timeout: float = LONG) -> int:
        return (await self.client.select(selector.SelectRequest(), timeout=timeout)).corpus_version

    async def fails(self, timeout: float = LONG) -> StageError:
        with pytest.raises(StageError) as caught:
            await self.select(timeout)
        return caught.value


@pytest.fixture
async def world() -> AsyncIterator[World]:
    stage = Stage()
    interceptors = chain(max_request_bytes=1 << 20, log_requests=False)
    server = grpc.aio.server(interceptors=[one for one in interceptors if type(one).__name__ != "Validation"])
    handler = grpc.unary_unary_rpc_method_handler(
        stage.select,
        request_deserializer=selector.SelectRequest.FromString,
        response_serializer=selector.SelectResponse.SerializeToString,
    )
    service = grpc.method_handlers_generic_handler("scic.selector.v1.SelectorService", {"Select": handler})
    server.add_generic_rpc_handlers((service,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with stage_channel(f"127.0.0.1:{port}") as channel:
        yield World(stage, channel)
    await server.stop(None)


def raising(error: Exception) -> Callable[[], Awaitable[None]]:
    async def does() -> None:
        raise error

    return does


async def test_a_hurried_caller_says_nothing_about_the_stage(world: World) -> None:
    world.stage.does = world.stage.hang
    for _ in range(5):
        error = await world.fails(0.02)
        assert (error.reason, error.answered) == ("DEADLINE_EXCEEDED", False)
    assert world.breaker.state == "closed"
    await eventually("the stage has stopped all of it", lambda: world.stage.cancelled == world.stage.calls)


@pytest.mark.parametrize(
    ("answers_after", "seconds", "state"),
    [
        pytest.param(None, 0.02, "open", id="nobody got an answer"),
        pytest.param(10, 0.02, "closed", id="somebody did"),
        pytest.param(None, 0.005, "closed", id="nobody gave it any time"),
    ],
)
async def test_a_stage_that_answers_no_hurried_caller_at_all_is_to_blame(
    world: World, monkeypatch: pytest.MonkeyPatch, answers_after: int | None, seconds: float, state: str
) -> None:
    monkeypatch.setattr("services.gateway.stages.over_grpc._TELLING_SECONDS", 0.01)
    for n in range(22):
        world.stage.does = world.stage.hang
        await world.fails(seconds)
        if n == answers_after:
            world.stage.does = raising(errors.CORRUPT_CORPUS.error("an answer, too"))
            with pytest.raises(errors.ScicError):
                await world.select()
    assert world.breaker.state == state


async def test_one_who_waited_long_enough_does(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.gateway.stages.over_grpc.FAIR_SECONDS", 0.01)
    world.stage.does = world.stage.hang
    for _ in range(2):
        await world.fails(0.05)
    assert world.breaker.state == "open"


@pytest.mark.parametrize(
    ("error", "answered", "state"),
    [
        pytest.param(STORE_AWAY, True, "closed", id="its store is away: the sources' breakers hear of that"),
        pytest.param(RuntimeError("a bug"), False, "open", id="a bug of its own"),
    ],
)
async def test_what_the_stage_says_of_what_it_stands_on(
    world: World, error: Exception, answered: bool, state: str
) -> None:
    world.stage.does = raising(error)
    for _ in range(2):
        assert (await world.fails()).answered is answered
    assert world.breaker.state == state


async def test_calls_that_come_during_a_trial_wait_for_it(world: World) -> None:
    world.stage.does = raising(RuntimeError("a bug"))
    for _ in range(2):
        await world.fails()
    assert world.breaker.state == "open"
    gate = asyncio.Event()

    async def wait() -> None:
        await gate.wait()

    world.stage.does = wait
    before = world.stage.calls
    trial = asyncio.create_task(world.select())
    await eventually("the trial runs", lambda: world.stage.calls == before + 1)
    others = [asyncio.create_task(world.select()) for _ in range(5)]
    hurried = await world.fails(0.05)
    assert hurried.reason == "STAGE_UNAVAILABLE"
    assert world.stage.calls == before + 1
    gate.set()
    assert await asyncio.gather(trial, *others) == [7] * 6


async def test_a_caller_that_leaves_as_the_answer_comes_has_left() -> None:
    class Channel:
        """Its calls drop the cancellation that meets their end, as those of grpc.aio now and then do."""

        def unary_unary(self, *_: Any, **__: Any) -> Callable[..., Awaitable[selector.SelectResponse]]:
            async def call(*_: Any, **__: Any) -> selector.SelectResponse:
                with suppress(asyncio.CancelledError):
                    await asyncio.Event().wait()
                return selector.SelectResponse()

            return call

    channel: Any = Channel()
    client = SelectorClient(channel, Breaker("stage"))
    call = asyncio.create_task(client.select(selector.SelectRequest(), timeout=LONG))
    await asyncio.sleep(0.01)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_a_caller_that_leaves_stops_the_stage(world: World) -> None:
    world.stage.does = world.stage.hang
    call = asyncio.create_task(world.select())
    await eventually("it runs", lambda: world.stage.calls == 1)
    call.cancel()
    await eventually("it has stopped", lambda: world.stage.cancelled == 1)
    assert world.breaker.state == "closed"
