"""The exact cache: never another question, another tenant or an older corpus."""

import asyncio
import time
from typing import Any

import pytest

from scic.gateway.v1 import context_service_pb2 as pb
from services.chassis.deadline import Deadline
from services.gateway.background import Background
from services.gateway.builder import ContextBuilder
from services.gateway.contexts import Contexts
from services.gateway.principal import Principal, Role
from services.gateway.profile import default_profile
from services.text.tokens import count_messages, encoding_for
from tests.fakes import FakeCache, FakeComposer, FakeCompressor, FakeSelections, FakeSelector, ladder_of


def caller(*groups: str, tenant: str = "acme", sees_all: bool = False) -> Principal:
    return Principal("k", tenant, frozenset({Role.READER}), frozenset(groups), sees_all)


ACME = caller()


class World:
    def __init__(self, background: Background) -> None:
        self.selector, self.compressor, self.composer = FakeSelector(), FakeCompressor(), FakeComposer()
        self.cache, self.selections = FakeCache(), FakeSelections()
        ladder = ladder_of(self.selector, background.spawn, cache=self.selections)
        self.contexts = Contexts(
            builder=ContextBuilder(ladder, self.compressor, self.composer, time.monotonic),
            cache=self.cache,
            selector=self.selector,
            profiles={"default": default_profile("gpt-4o")},
            default_profile="default",
            spawn=background.spawn,
        )

    async def ask(self, question: str = "Why?", principal: Principal = ACME, **fields: Any) -> pb.BuildContextResponse:
        request = pb.BuildContextRequest(**{"question": question, "max_tokens": 500, "request_id": "r", **fields})
        built = await self.contexts.build(principal, request, Deadline.after(5))
        await asyncio.sleep(0)  # lets the write in the background finish
        return built

    async def forecast(self) -> pb.CacheStatus.ValueType:
        request = pb.BuildContextRequest(question="Why?", max_tokens=500)
        planned = await self.contexts.plan(ACME, request, Deadline.after(5))
        await asyncio.sleep(0)  # lets a write in the background finish, if there were one
        return planned.cache_forecast


@pytest.fixture
async def world():
    async with Background() as background:
        world = World(background)
        world.selector.store("acme", "guide.md", "Because.")
        yield world


async def test_the_same_question_is_answered_from_the_cache(world):
    first, second = await world.ask(), await world.ask(request_id="r2")
    assert (first.cache, second.cache) == (pb.CACHE_STATUS_MISS, pb.CACHE_STATUS_HIT)
    assert second.messages == first.messages
    assert second.evidence == first.evidence
    assert second.request_id == "r2"
    assert world.selector.calls.count("select") == 1
    assert [report.source for report in second.sources] == [report.source for report in first.sources]
    assert all(report.HasField("duration") for report in first.sources)
    assert not any(report.HasField("duration") for report in second.sources), "nothing was searched"


async def test_another_tenant_gets_its_own_answer(world):
    await world.ask()
    other = await world.ask(principal=caller(tenant="other"))
    assert other.cache == pb.CACHE_STATUS_MISS
    assert not other.evidence


async def test_a_caller_never_gets_a_reply_that_was_built_for_one_who_may_see_more(world):
    world.selector.store("acme", "salaries.md", "Everyone earns the same.", groups=["hr"])
    seen = {
        name: {item.document_id for item in (await world.ask(principal=principal)).evidence}
        for name, principal in (
            ("all", caller(sees_all=True)),
            ("hr", caller("hr")),
            ("sales", caller("sales")),
            ("nobody", caller()),
        )
        for _ in range(2)  # the second time from the cache
    }
    both = {"guide.md", "salaries.md"}
    assert seen == {"all": both, "hr": both, "sales": {"guide.md"}, "nobody": {"guide.md"}}


async def test_callers_of_equal_groups_share_a_reply(world):
    await world.ask(principal=caller("a", "b"))
    assert (await world.ask(principal=caller("b", "a"))).cache == pb.CACHE_STATUS_HIT


async def test_a_write_kills_what_was_built_before_it(world):
    await world.ask()
    world.selector.store("acme", "guide.md", "Because of something else.")
    await world.cache.publish_version("acme", world.selector.version, removed=True)
    again = await world.ask()
    assert again.cache == pb.CACHE_STATUS_MISS
    assert again.evidence[0].text == "Because of so"


async def test_without_a_trusted_version_the_selector_is_asked(world):
    await world.ask()
    world.cache.versions.clear()
    assert (await world.ask()).cache == pb.CACHE_STATUS_HIT
    world.cache.versions.clear()
    world.selector.store("acme", "new.md", "More.")  # nobody published this write
    assert (await world.ask()).cache == pb.CACHE_STATUS_MISS


async def test_without_a_version_and_a_selector_nothing_cached_is_trusted(world):
    await world.ask()
    world.cache.versions.clear()
    world.selector.away = True
    built = await world.ask()
    assert built.cache == pb.CACHE_STATUS_MISS
    assert built.degradations


async def test_a_degraded_reply_is_not_kept(world):
    world.compressor.away = True
    await world.ask()
    world.compressor.away = False
    again = await world.ask()
    assert again.cache == pb.CACHE_STATUS_MISS
    assert not again.degradations


async def test_redis_away_means_answers_without_a_cache(world):
    world.cache.away = True
    for _ in range(2):
        built = await world.ask()
        assert built.cache == pb.CACHE_STATUS_UNAVAILABLE
        assert built.evidence


async def test_white_space_shares_an_entry_and_keeps_the_callers_wording(world):
    await world.ask("Why  is\tthat?")
    built = await world.ask("Why is that?")
    assert built.cache == pb.CACHE_STATUS_HIT
    assert built.messages[-1].content == "Why is that?"
    assert built.tokens.total == count_messages(encoding_for(built.encoding), [m.content for m in built.messages])


async def test_the_plan_forecasts_and_stores_nothing(world):
    assert await world.forecast() == pb.CACHE_STATUS_MISS
    assert await world.forecast() == pb.CACHE_STATUS_MISS
    assert not world.cache.entries
    assert not world.selections.kept
    await world.ask()
    assert world.selections.kept
    assert await world.forecast() == pb.CACHE_STATUS_HIT


async def test_the_plan_equals_what_is_built(world):
    request = pb.BuildContextRequest(question="Why?", max_tokens=500)
    plan = await world.contexts.plan(ACME, request, Deadline.after(5))
    built = await world.ask()
    assert plan.tokens == built.tokens
    assert plan.sources == built.sources
    assert [request.dry_run for request in world.compressor.requests] == [True, False]
    assert plan.compression == built.compression
    assert plan.retention == built.retention
    assert [e.passage_id for e in plan.evidence] == [e.passage_id for e in built.evidence]
    assert all(not e.text for e in plan.evidence)
