"""Limits and the bound on requests over gRPC: a real client, a real server, a real Valkey."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import grpc
import pytest
from redis.asyncio import Redis

from scic import Client, errors
from scic.gateway.v1 import context_service_pb2 as pb
from scic.gateway.v1 import job_service_pb2 as jobs
from scic.gateway.v1 import job_service_pb2_grpc
from services.chassis import metrics
from services.chassis.interceptors import Context, Method
from services.gateway.callers.authentication import METHODS, Authentication
from services.gateway.callers.principal import parse_keys
from services.gateway.limits.declarations import declared_limits
from services.gateway.limits.redis_log import RedisUsageLog, log_key
from services.gateway.limits.rule import Rule
from services.gateway.limits.wiring import limiting
from services.gateway.redis.calls import Patience
from services.gateway.settings import GatewaySettings
from tests.rpc.limited_gateway import Profiles, as_key, ask, gateway, keys_json, refused
from tests.valkey import Valkey
from tests.waiting import LONG, eventually


async def test_above_the_limit_a_caller_hears_which_rule_and_when_there_is_room(server: Valkey) -> None:
    rule = Rule("per-hour", 3600, requests=3)
    async with gateway(server, rule) as (contexts, address), Client(address, api_key="acme") as client:
        for _ in range(3):
            await ask(client)
        error = await refused(client)
        assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED")
        assert error.metadata == {"rule": "per-hour", "limit": "3", "unit": "requests", "window_seconds": "3600"}
        assert error.retry_after is not None
        assert 3600 - LONG < error.retry_after <= 3600
        assert str(error) == "rule per-hour allows 3 requests in 3600 s, and they are used up"
        assert contexts.entered == 3
        async with Client(address, api_key="other") as other:
            await ask(other)


async def test_a_request_that_comes_again_when_it_was_told_to_is_let_in(server: Valkey) -> None:
    rule = Rule("short", 0.5, requests=1)
    async with gateway(server, rule) as (_, address), Client(address, api_key="acme") as client:
        await ask(client)
        try:
            await ask(client)
        except errors.ScicError as error:
            told = error.retry_after
        else:
            return  # the machine is so slow that the window was over
        assert told is not None
        await asyncio.sleep(told)
        await ask(client)


async def test_tokens_are_settled_as_used_and_given_back_by_what_fails(server: Valkey) -> None:
    rule = Rule("tokens", 3600, requests=1000, tokens=100)
    async with gateway(server, rule) as (_, address), Client(address, api_key="acme") as client:

        async def lets_in(max_tokens: int) -> bool:
            try:
                await ask(client, max_tokens=max_tokens)
            except errors.ScicError as error:
                return error.metadata["unit"] != "tokens"
            return True

        assert (await refused(client, question="fail", max_tokens=100)).reason == "STAGE_UNAVAILABLE"
        await eventually("the tokens of the failed one are back", lambda: lets_in(100))
        await eventually("90 tokens are left", lambda: lets_in(90))
        assert not await lets_in(90)


async def test_a_request_that_can_never_fit_is_told_no_time(server: Valkey) -> None:
    rule = Rule("tokens", 60, tokens=100)
    async with gateway(server, rule) as (_, address), Client(address, api_key="acme") as client:
        error = await refused(client, max_tokens=101)
        assert (error.reason, error.metadata["rule"], error.retry_after) == ("RATE_LIMITED", "tokens", None)
        assert str(error) == (
            "the call may take 101 tokens; rule tokens allows 100 tokens in 60 s, so it can never pass"
        )


async def test_a_stream_is_one_request_and_has_rules_of_its_own(server: Valkey) -> None:
    rules = (
        Rule("builds", 3600, method="BuildContext", requests=1),
        Rule("watches", 3600, method="WatchJob", requests=2),
    )
    async with gateway(server, *rules) as (_, address), grpc.aio.insecure_channel(address) as channel:
        watched = job_service_pb2_grpc.JobServiceStub(channel).WatchJob
        metadata = (("authorization", "Bearer acme"),)
        request = jobs.WatchJobRequest(job_id="0" * 32)
        for _ in range(2):
            assert len([event async for event in watched(request, metadata=metadata)]) == 5
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            [event async for event in watched(request, metadata=metadata)]
        assert errors.from_rpc_error(caught.value).metadata["rule"] == "watches"


async def test_a_shadow_lets_all_through_and_is_seen_in_the_metric(server: Valkey) -> None:
    rule = Rule("watched", 3600, requests=2, shadow=True)
    before = metrics.LIMITED.labels("watched", "shadow")._value.get()
    async with gateway(server, rule) as (_, address), Client(address, api_key="shadowed") as client:
        for _ in range(5):
            await ask(client)
    assert metrics.LIMITED.labels("watched", "shadow")._value.get() == before + 3


async def test_a_request_without_a_bound_is_charged_with_its_profiles(server: Valkey) -> None:
    async with (
        gateway(server, Rule("tokens", 3600, tokens=60)) as (_, address),
        Client(address, api_key="acme") as client,
    ):
        await ask(client, max_tokens=0)


async def test_as_many_settlements_as_come_are_settled(server: Valkey) -> None:
    rule = Rule("tokens", 3600, tokens=1_000_000)
    async with (
        gateway(server, rule) as (contexts, address),
        Client(address, api_key="acme") as client,
        Redis.from_url(server.url) as redis,
    ):
        contexts.go_on.clear()
        asked = [asyncio.create_task(ask(client, max_tokens=2000)) for _ in range(400)]
        await eventually("all are under way", lambda: contexts.entered == 400)
        contexts.go_on.set()
        await asyncio.gather(*asked)

        async def settled() -> bool:
            return int(await redis.hget(log_key("acme", rule), "tokens") or 0) == 10 * 400

        await eventually("ten tokens each are charged", settled)


async def test_what_was_used_is_still_written_as_the_gateway_ends(
    server: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RedisUsageLog.__init__, "__kwdefaults__", {"patience": Patience(LONG, LONG)})
    settings = GatewaySettings(
        keys=keys_json(), redis_url=server.url, limits='[{"name": "tokens", "seconds": 3600, "tokens": 1000}]'
    )
    keys = parse_keys(keys_json(), origin="test")
    method = Method("/scic.gateway.v1.ContextService/BuildContext", False, False)

    class Metadata:
        def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
            return as_key("acme")

    async def answer(_: object, __: Context) -> pb.BuildContextResponse:
        return pb.BuildContextResponse(tokens=pb.TokenUsage(total=10))

    async with Redis.from_url(server.url) as redis:
        await redis.flushall()
        async with AsyncExitStack() as stack:
            (limits,) = await limiting(settings, Profiles(), stack)
            call: Any = Authentication(keys).wrap(method, limits.wrap(method, answer))
            await call(pb.BuildContextRequest(max_tokens=500), Metadata())
        (rule,) = declared_limits(settings.limits, METHODS)
        assert await redis.hget(log_key("acme", rule), "tokens") == b"10"
