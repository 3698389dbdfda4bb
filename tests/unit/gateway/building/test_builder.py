"""Building a context: what the reply says, and what stands in for a stage that is away."""

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scic.compressor.v1 import compressor_service_pb2 as compressor
from scic.gateway.v1 import context_service_pb2 as pb
from scic.type.v1 import compression_pb2, degradation_pb2, message_pb2, retention_pb2, source_pb2
from services.chassis import metrics
from services.chassis.deadline import Deadline
from services.gateway.building.builder import ContextBuilder
from services.gateway.building.fallback import plain_cut
from services.gateway.callers.principal import Principal
from services.gateway.profiles.profile import Profile, default_profile
from services.gateway.sources.declarations import declared_sources
from services.text.tokens import count_messages, encoding_for
from tests.fakes import FakeComposer, FakeCompressor, FakeSelector, ladder_of, recipe_of

PROFILE = default_profile("gpt-4o")
ANNA = Principal("anna", "acme", frozenset())


class World:
    def __init__(self, profile: Profile = PROFILE) -> None:
        self.profile = profile
        self.selector, self.compressor, self.composer = FakeSelector(), FakeCompressor(), FakeComposer()
        ladder = ladder_of(self.selector, lambda work: work.close())
        self.builder = ContextBuilder(ladder, self.compressor, self.composer, time.monotonic)

    async def build(self, seconds: float = 10.0, **fields: Any) -> pb.BuildContextResponse:
        request = pb.BuildContextRequest(**{"question": "Why?", "max_tokens": 1000, "request_id": "r1", **fields})
        recipe = recipe_of(request, self.profile)
        return await self.builder.build(ANNA, recipe, Deadline.after(seconds))


@pytest.fixture
def world() -> World:
    return World()


def assert_counted(built: pb.BuildContextResponse) -> None:
    counted = count_messages(encoding_for(built.encoding), [m.content for m in built.messages])
    assert built.tokens.total == counted <= built.tokens.max_tokens
    assert built.tokens.total == sum(section.token_count for section in built.tokens.sections)


async def test_the_reply_cites_document_offsets_and_scores(world):
    world.selector.store("acme", "guide.md", "First half. Second half.", "Other text here.")
    built = await world.build()
    assert [(e.citation, e.document_id, e.passage_id, e.source) for e in built.evidence] == [
        (1, "guide.md", "guide.md#0", "docs"),
        (2, "guide.md", "guide.md#1", "docs"),
    ]
    second = built.evidence[1]
    assert [(span.start, span.end) for span in second.spans] == [(100, 108)]
    assert second.text == "Other te"
    assert second.fate == pb.Evidence.FATE_COMPRESSED
    assert second.score.value == 0.5
    assert built.corpus_version == world.selector.version
    assert [t.stage for t in built.timings] == [
        degradation_pb2.STAGE_SELECT,
        degradation_pb2.STAGE_COMPRESS,
        degradation_pb2.STAGE_COMPOSE,
    ]
    assert [(report.source, report.passage_count, report.rung) for report in built.sources] == [
        ("code", 0, pb.SourceReport.RUNG_PRIMARY),
        ("docs", 2, pb.SourceReport.RUNG_PRIMARY),
        ("history", 0, pb.SourceReport.RUNG_PRIMARY),
    ]
    assert not built.degradations
    assert_counted(built)


async def test_a_duplicate_is_reported_with_what_stands_for_it(world):
    world.selector.store("acme", "guide.md", "Text.")
    world.selector.copies["guide.md#0"] = "copy.md#0"
    built = await world.build()
    assert [e.passage_id for e in built.evidence] == ["guide.md#0"]
    assert [(d.passage_id, d.reason, d.duplicate_of) for d in built.dropped] == [
        ("copy.md#0", pb.DroppedPassage.REASON_DUPLICATE, "guide.md#0")
    ]


async def test_only_the_callers_tenant_is_searched(world):
    world.selector.store("other", "secret.md", "Theirs.")
    assert not (await world.build()).evidence


async def test_inline_passages_come_first_and_are_named(world):
    world.selector.store("acme", "guide.md", "Found.")
    built = await world.build(passages=[pb.InlinePassage(text="Brought along.", title="Note")])
    assert [(e.source, e.passage_id, e.document_id) for e in built.evidence] == [
        ("inline", "inline/0", ""),
        ("docs", "guide.md#0", "guide.md"),
    ]


async def test_turns_beyond_their_share_are_reported(world):
    turns = [
        message_pb2.ConversationTurn(role=message_pb2.ROLE_USER, text=text) for text in ("long " * 1000, "short", "new")
    ]
    built = await world.build(conversation=turns)
    assert [m.content for m in built.messages][1:3] == ["short", "new"]
    assert [(d.passage_id, d.reason) for d in built.dropped] == [
        ("conversation/0", pb.DroppedPassage.REASON_CONVERSATION_SHARE)
    ]


async def test_what_evidence_leaves_goes_to_older_turns(world):
    turns = [
        message_pb2.ConversationTurn(role=message_pb2.ROLE_USER, text=text) for text in ("old " * 500, "older " * 40)
    ]
    world.selector.store("acme", "guide.md", "Text.")
    built = await world.build(conversation=turns)
    assert [m.content for m in built.messages][1:3] == [turn.text for turn in turns]
    assert not built.dropped
    assert_counted(built)
    world.selector.store("acme", "long.md", "much " * 900)
    crowded = await world.build(conversation=turns)
    assert [(d.passage_id, d.reason) for d in crowded.dropped] == [
        ("conversation/0", pb.DroppedPassage.REASON_CONVERSATION_SHARE)
    ]
    assert len(crowded.evidence) == 2, "no turn takes the place of evidence"
    assert_counted(crowded)


async def test_the_compressor_is_told_of_sections_patterns_and_the_price():
    sources = declared_sources('{"docs": {"priority": 0.5, "min_share": 0.25, "max_share": 0.75}}')
    world = World(default_profile("gpt-4o", sources, ("SKU-[0-9]+",)))
    world.selector.store("acme", "guide.md", "First.", "Second.")
    world.selector.store("acme", "app.py", "x = 1", source="code")
    built = await world.build(passages=[pb.InlinePassage(text="Brought along.")])
    (request,) = world.compressor.requests
    assert [(s.name, round(s.priority, 3)) for s in request.sections] == [("inline", 1), ("code", 0.4), ("docs", 0.5)]
    docs = request.sections[2]
    assert (docs.min_tokens, docs.max_tokens) == (request.max_tokens // 4, request.max_tokens * 3 // 4)
    assert [request.sections[p.section].name for p in request.passages] == [e.source for e in built.evidence]
    assert list(request.pin_patterns) == ["SKU-[0-9]+"]
    assert (request.price.input_usd, request.price.cached_input_usd) == (2.5, 1.25)
    assert not request.dry_run
    await world.build(model="o200k_base")
    assert not world.compressor.requests[1].HasField("price"), "an encoding has no price"


async def test_the_reply_has_the_decision_and_what_became_of_the_pins(world):
    world.selector.store("acme", "guide.md", "First half. Second half.", "Other text here.")
    built = await world.build()
    assert built.compression.level == compression_pb2.COMPRESSION_LEVEL_MEDIUM
    assert [(pin.type, pin.kept) for pin in built.retention.pins] == [(retention_pb2.PIN_TYPE_NUMBER, 2)]
    assert [(e.kept_pins, e.dropped_pins) for e in built.evidence] == [(1, 2), (1, 2)]


async def test_without_passages_there_is_no_decision(world):
    built = await world.build()
    assert not built.HasField("compression")
    assert not built.HasField("retention")


async def test_a_plain_cut_is_told_in_the_decision_too(world):
    world.selector.store("acme", "guide.md", *(f"word{n} " * 200 for n in range(3)))
    world.compressor.away = True
    built = await world.build(max_tokens=700)
    decision = built.compression
    assert decision.method == compression_pb2.COMPRESSION_METHOD_PLAIN_CUT
    assert decision.reason == compression_pb2.CompressionDecision.REASON_OVER_BUDGET
    assert 0 < decision.token_count <= decision.max_tokens < decision.original_token_count
    assert decision.cost_usd == pytest.approx(decision.token_count * 2.5e-6)


def test_a_plain_cut_counts_title_text_and_overhead():
    passages = [
        compressor.CompressiblePassage(title_path=["A", "B"], text="One."),
        compressor.CompressiblePassage(text="Two."),
    ]
    encoding = encoding_for("o200k_base")
    whole = encoding.count("A > B\n") + encoding.count("One.\n") + encoding.count("Two.\n") + 2 * 8
    request = compressor.CompressRequest(passages=passages, overhead_tokens=8, max_tokens=whole)
    assert plain_cut(request, encoding).token_count == whole
    request.max_tokens -= 1
    cut = plain_cut(request, encoding)
    assert [bool(passage.spans) for passage in cut.passages] == [True, False]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        pytest.param("LESS_RELEVANT", "BUDGET", id="less relevant"),
        pytest.param("TOO_LARGE", "TOO_LARGE", id="too large"),
        pytest.param("CONTRACT", "CONTRACT", id="contract"),
        pytest.param("SECTION_FULL", "SECTION_FULL", id="section full"),
        pytest.param("EMPTY", "EMPTY", id="empty"),
    ],
)
async def test_why_a_passage_was_dropped(world, said, reason):
    world.selector.store("acme", "guide.md", "Text.")
    world.compressor.drops = compressor.CompressedPassage.Reason.Value(f"REASON_{said}")
    built = await world.build()
    assert [d.reason for d in built.dropped] == [pb.DroppedPassage.Reason.Value(f"REASON_{reason}")]


async def test_what_the_composer_could_not_fit_is_reported_as_dropped(world):
    world.selector.store("acme", "guide.md", *(f"word{n} " * 200 for n in range(3)))
    built = await world.build(max_tokens=400)
    assert len(built.evidence) == 1
    assert {d.passage_id for d in built.dropped} == {"guide.md#1", "guide.md#2"}
    assert_counted(built)


@pytest.mark.parametrize(
    ("stage", "wire", "reason"),
    [
        pytest.param("selector", degradation_pb2.STAGE_SELECT, "STAGE_UNAVAILABLE", id="select"),
        pytest.param("compressor", degradation_pb2.STAGE_COMPRESS, "DEADLINE_EXCEEDED", id="compress"),
        pytest.param("composer", degradation_pb2.STAGE_COMPOSE, "STAGE_UNAVAILABLE", id="compose"),
    ],
)
@pytest.mark.parametrize("max_tokens", [150, 250, 1000])
async def test_a_stage_that_is_away_costs_quality_and_not_the_reply(world, stage, wire, reason, max_tokens):
    world.selector.store("acme", "guide.md", *(f"Text number {n}. " * 10 for n in range(8)))
    getattr(world, stage).away = True
    labels = {"component": degradation_pb2.Stage.Name(wire).removeprefix("STAGE_").lower(), "reason": reason}
    before = metrics.REGISTRY.get_sample_value("context_degradations_total", labels) or 0
    built = await world.build(
        max_tokens=max_tokens, passages=[pb.InlinePassage(text="Brought along.", kind=source_pb2.SOURCE_KIND_DOCS)]
    )
    assert [(d.stage, d.reason) for d in built.degradations] == [(wire, reason)]
    assert built.degradations[0].detail
    assert metrics.REGISTRY.get_sample_value("context_degradations_total", labels) == before + 1
    assert built.messages[0].role in (message_pb2.ROLE_SYSTEM, message_pb2.ROLE_USER)
    assert built.messages[-1].content == "Why?"
    assert_counted(built)
    if max_tokens == 1000:
        assert built.evidence


async def test_all_stages_away_still_gives_a_prompt(world):
    world.selector.away = world.compressor.away = world.composer.away = True
    built = await world.build()
    assert [m.content for m in built.messages][-1] == "Why?"
    assert {d.stage for d in built.degradations} >= {degradation_pb2.STAGE_SELECT, degradation_pb2.STAGE_COMPOSE}
    assert_counted(built)


async def test_the_deadline_is_split_so_that_later_stages_have_time_left(world):
    world.selector.store("acme", "guide.md", "Text.")
    await world.build(seconds=1.0)
    select, compress, compose = (
        world.selector.timeouts[0],
        world.compressor.timeouts[0],
        world.composer.timeouts[0],
    )
    assert 0.5 < select <= 0.6
    assert 0.5 < compress <= 0.6
    assert 0.8 < compose <= 0.9


@settings(max_examples=60, deadline=None)
@given(
    away=st.sets(st.sampled_from(["selector", "compressor", "composer"])),
    broken=st.sets(st.sampled_from(["docs", "code", "history", "vectors"])),
    max_tokens=st.integers(150, 2000),
    brought=st.booleans(),
)
async def test_whatever_fails_a_reply_comes_within_its_budget(away, broken, max_tokens, brought):
    world = World()
    for source in ("docs", "code", "history"):
        world.selector.store("acme", f"{source}.md", *(f"Text {n} of {source}. " * 9 for n in range(4)), source=source)
    for stage in away:
        getattr(world, stage).away = True
    world.selector.broken = dict.fromkeys(broken, "STAGE_UNAVAILABLE")
    passages = [pb.InlinePassage(text="Brought along.")] if brought else []
    built = await world.build(max_tokens=max_tokens, passages=passages)
    assert_counted(built)
    assert built.messages[-1].content == "Why?"
    assert [report.source for report in built.sources] == ["code", "docs", "history"]
    failed = {report.source for report in built.sources if report.rung != pb.SourceReport.RUNG_PRIMARY}
    assert failed == ({"docs", "code", "history"} if "selector" in away else broken - {"vectors"})
