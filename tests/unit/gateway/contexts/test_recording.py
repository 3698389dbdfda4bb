"""What the ledger is told of a request, and what a recorded request gives when it is run again."""

import asyncio
import time
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from scic import errors
from scic.gateway.v1 import context_service_pb2 as pb
from scic.type.v1 import message_pb2
from services.chassis.deadline import Deadline
from services.gateway.admission.build_gate import BuildGate
from services.gateway.background import Background
from services.gateway.building.builder import ContextBuilder
from services.gateway.callers.principal import Principal, Role
from services.gateway.contexts.recording import Recording
from services.gateway.guard.guard import Guard
from services.gateway.guard.policy import GuardPolicy, SensitiveType
from services.gateway.profiles.profile import default_profile
from tests.fake_cache import FakeCache
from tests.fake_contexts import contexts_of
from tests.fakes import FakeComposer, FakeCompressor, FakeLedger, FakeSelector, OneProfile, WordDetectors, ladder_of

ANNA = Principal("anna", "acme", frozenset({Role.READER}))


class World:
    def __init__(self, background: Background) -> None:
        self.selector, self.cache, self.ledger = FakeSelector(), FakeCache(), FakeLedger()
        self.detectors = WordDetectors({"secret-7": SensitiveType.SECRET})
        self.selector.detectors = self.detectors
        self.profiles = OneProfile(replace(default_profile("gpt-4o"), version="v1"))
        names = count(1)
        self.recording = Recording(
            contexts_of(
                ContextBuilder(
                    ladder_of(self.selector, background.spawn), FakeCompressor(), FakeComposer(), time.monotonic
                ),
                cache=self.cache,
                selector=self.selector,
                profiles=self.profiles,
                guard=Guard(self.detectors),
                spawn=background.spawn,
            ),
            self.ledger,
            time.monotonic,
            lambda: f"record-{next(names)}",
        )

    async def ask(self, question: str = "Why?", **fields: Any) -> pb.BuildContextResponse:
        request = pb.BuildContextRequest(**{"question": question, "max_tokens": 500, "request_id": "r", **fields})
        return (await self.recording.build(ANNA, request, Deadline.after(5))).message

    @property
    def record(self):
        ((tenant, record),) = self.ledger.records
        assert tenant == "acme"
        return record

    async def replay(self, profile: str = "", *, present_corpus: bool = False) -> pb.BuildContextResponse:
        return await self.recording.replay(ANNA, self.record, profile, present_corpus, Deadline.after(5))


@pytest.fixture
async def world():
    async with Background() as background:
        world = World(background)
        world.selector.store("acme", "guide.md", "Because.")
        yield world


async def test_a_record_holds_request_and_reply_as_they_were(world):
    built = await world.ask(sources=[pb.SourceSelection(name="docs")])
    assert (world.record.record_id, built.record_id) == ("record-1", "record-1")
    assert world.record.key_id == "anna"
    assert world.record.response == built
    assert world.record.request.question == "Why?"
    assert [(s.name, s.limit) for s in world.record.request.sources] == [("docs", 0)], "as it was sent"
    assert world.record.create_time.seconds
    assert world.record.duration.ToNanoseconds() > 0


async def test_a_cached_reply_is_recorded_too_under_a_name_of_its_own(world):
    await world.ask()
    await asyncio.sleep(0)  # lets the write in the background finish
    again = await world.ask()
    assert again.cache == pb.CACHE_STATUS_HIT
    assert [r.record_id for _, r in world.ledger.records] == ["record-1", "record-2"]
    assert again.record_id == "record-2"


async def test_no_record_holds_what_is_masked(world):
    world.profiles.profile = replace(world.profiles.profile, guard=GuardPolicy(restore=True))
    world.selector.store("acme", "keys.md", "It is secret-7.")
    built = await world.ask("Is it secret-7?", passages=[pb.InlinePassage(text="secret-7", title="secret-7")])
    assert built.isolation.pseudonyms
    assert b"secret-7" not in world.record.SerializeToString()
    assert world.record.request.question == "Is it [SECRET_1]?"


async def test_where_nothing_can_be_built_and_nobody_is_served_most_are_refused_unread(world, monkeypatch):
    await world.ask("Why?")
    looks = list[object]()
    lookup = world.cache.lookup

    async def looked(*args: Any) -> Any:
        looks.append(args)
        return await lookup(*args)

    monkeypatch.setattr(world.cache, "lookup", looked)
    monkeypatch.setattr(BuildGate, "is_crowded", lambda *_: True)
    refusals = list[errors.ScicError]()
    for number in range(600):
        with pytest.raises(errors.ScicError) as caught:
            await world.ask(f"Why {number}?")
        refusals.append(caught.value)
    assert {(error.reason, error.metadata["resource"]) for error in refusals} == {("OVERLOADED", "builds")}
    assert 150 < len(looks) < 230, "all of the first 128, then one in eight"
    assert len(world.ledger.records) == 601, "all are recorded"
    assert world.ledger.records[1][1].request.question == "Why 0?"
    assert sum(not record.request.question for _, record in world.ledger.records) == 600 - len(looks)


@pytest.mark.parametrize(
    ("broken", "fields", "reason"),
    [
        pytest.param(True, {}, "GUARD_FAILED", id="nobody could look"),
        pytest.param(False, {"model": "gpt-99x"}, "UNKNOWN_MODEL", id="it was refused before anybody looked"),
    ],
)
async def test_a_request_that_fails_is_recorded_without_its_text(world, broken, fields, reason):
    world.detectors.broken = broken
    with pytest.raises(errors.ScicError):
        await world.ask("Is it secret-7?", **fields)
    assert errors.from_status(world.record.error).reason == reason
    assert not world.record.HasField("response")
    assert b"secret-7" not in world.record.SerializeToString()
    with pytest.raises(errors.ScicError) as caught:
        await world.replay()
    assert (caught.value.reason, caught.value.field_violations[0].field) == ("INVALID_FIELD", "record_id")


async def test_what_a_later_text_introduces_is_masked_in_an_earlier_one_too(world):
    world.detectors.words = {"password secret-7": SensitiveType.SECRET}
    turns = [message_pb2.ConversationTurn(role=message_pb2.ROLE_USER, text="Mine is password secret-7.")]
    passage = pb.InlinePassage(title="password secret-7", text="Nothing.")
    built = await world.ask("Does password secret-7 work?", conversation=turns, passages=[passage])
    for shown in (built, world.record):
        assert b"secret-7" not in shown.SerializeToString()


async def test_a_caller_that_leaves_is_no_answer(world):
    entered = asyncio.Event()

    async def hang(*_: Any, **__: Any) -> None:
        entered.set()
        await asyncio.sleep(60)

    world.selector.select = hang
    call = asyncio.create_task(world.ask())
    await entered.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert errors.from_status(world.record.error).reason == "DEADLINE_EXCEEDED"
    assert not world.record.HasField("response")


async def test_a_replay_without_a_profile_differs_in_nothing(world):
    await world.ask()
    await asyncio.sleep(0)  # lets the write in the background finish
    hit = await world.ask()
    world.ledger.records = world.ledger.records[1:]
    again = await world.replay()
    assert (again.profile_label, again.cache, again.evidence) == (hit.profile_label, hit.cache, hit.evidence)


async def test_a_replay_says_when_another_profile_took_the_place_of_the_built_in_one(world):
    world.profiles.profile = replace(world.profiles.profile, version="")
    await world.ask()
    world.profiles.profile = replace(world.profiles.profile, version="v2")
    with pytest.raises(errors.ScicError) as caught:
        await world.replay()
    assert (caught.value.reason, caught.value.field_violations[0].field) == ("UNKNOWN_PROFILE", "profile")
    assert (await world.replay("default@v2")).profile_version == "v2"


async def test_a_replay_keeps_to_the_recorded_bound_where_nobody_else_names_one(world):
    world.profiles.profile = replace(world.profiles.profile, max_tokens=400)
    await world.ask(max_tokens=0)
    world.profiles.profile = replace(world.profiles.profile, max_tokens=0)
    assert (await world.replay("other")).tokens.max_tokens == 400


async def test_without_a_ledger_nothing_is_recorded_and_no_name_is_given(world):
    world.ledger.keeps = False
    assert not (await world.ask()).record_id
    assert not world.ledger.records


async def test_the_conversation_decides_the_version_and_else_the_request(world):
    await world.ask(conversation_id="c1", profile="support")
    await world.ask()
    assert world.profiles.asked == [("acme", "support", "c1"), ("acme", "", "r")]


async def test_a_replay_follows_the_recorded_version_and_keeps_nothing(world):
    built = await world.ask()
    cached = dict(world.cache.entries)
    again = await world.replay()
    assert world.profiles.asked[-1][1] == "default@v1"
    assert again.evidence == built.evidence
    assert world.cache.entries == cached
    assert len(world.ledger.records) == 1


async def test_a_replay_can_follow_another_profile(world):
    await world.ask()
    await world.replay("support@next")
    assert world.profiles.asked[-1][1] == "support@next"


async def test_a_replay_says_when_the_corpus_is_another_one(world):
    await world.ask()
    world.selector.store("acme", "new.md", "More.")
    with pytest.raises(errors.ScicError) as caught:
        await world.replay()
    assert (caught.value.reason, caught.value.metadata["recorded"], caught.value.metadata["present"]) == (
        "CORPUS_VERSION_GONE",
        "1",
        "2",
    )
    assert {e.document_id for e in (await world.replay(present_corpus=True)).evidence} == {"guide.md", "new.md"}
