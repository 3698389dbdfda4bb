"""Health: SERVING is the conjunction of named components, and drain is for good."""

from __future__ import annotations

import asyncio

import pytest
from grpc_health.v1 import health_pb2
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.health import Health

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def answer(health: Health, service: str = "") -> int:
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    response = await health.servicer.Check(health_pb2.HealthCheckRequest(service=service), None)
    return int(response.status)


async def test_not_serving_from_birth_until_all_components_are_up() -> None:
    health = Health()
    store, model = health.component("store"), health.component("model")
    await health.announce(["a.Service"])
    assert await answer(health) == NOT_SERVING
    store.up()
    assert await answer(health, "a.Service") == NOT_SERVING
    model.up()
    assert await answer(health) == await answer(health, "a.Service") == SERVING


async def test_a_component_that_goes_down_takes_the_service_along_and_back() -> None:
    health = Health()
    store = health.component("store")
    await health.announce([])
    store.up()
    store.down("disk full")
    assert await answer(health) == NOT_SERVING
    assert health.view() == {"status": "NOT_SERVING", "draining": False, "components": {"store": "disk full"}}
    store.up()
    assert await answer(health) == SERVING
    assert health.view() == {"status": "SERVING", "draining": False, "components": {"store": "up"}}


async def test_drain_is_for_good() -> None:
    health = Health()
    store = health.component("store")
    await health.announce([])
    store.up()
    await health.drain()
    store.down("x")
    store.up()
    assert await answer(health) == NOT_SERVING
    assert health.view()["draining"] is True


async def test_two_components_cannot_share_a_name() -> None:
    health = Health()
    health.component("store")
    with pytest.raises(ValueError, match="store"):
        health.component("store")


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=20))
def test_serving_means_all_up_whatever_the_order(changes: list[tuple[int, bool]]) -> None:
    async def play() -> None:
        health = Health()
        components = [health.component(str(number)) for number in range(3)]
        await health.announce([])
        up = [False] * 3
        for number, goes_up in changes:
            up[number] = goes_up
            components[number].up() if goes_up else components[number].down("down")
        assert await answer(health) == (SERVING if all(up) else NOT_SERVING)

    asyncio.run(play())
