"""The fallback ladder: what stands for a source that cannot be searched, and that something always does."""

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scic import errors
from scic.gateway.v1 import context_service_pb2 as pb
from scic.type.v1 import message_pb2, source_pb2
from services.chassis import metrics
from services.chassis.deadline import Deadline
from services.gateway.callers.principal import Principal
from services.gateway.profiles.profile import default_profile
from services.gateway.sources.climb import Selected
from services.gateway.sources.search import Search
from services.gateway.sources.source import BUILT_IN, Source, Sources
from services.gateway.stages.stage_error import StageError
from tests.fake_cache import FakeSelections
from tests.fakes import UNIT, FakeSelector, ladder_of, recipe_of

if TYPE_CHECKING:
    from collections.abc import Coroutine

Rung = pb.SourceReport.Rung
ANNA = Principal("anna", "acme", frozenset())
EXAMPLES = Source("examples", source_pb2.SOURCE_KIND_DOCS, default_text="An example.")
SOURCES = Sources([*BUILT_IN.values(), EXAMPLES])


class World:
    def __init__(self, sources: Sources = SOURCES) -> None:
        self.selector, self.backup, self.cache = FakeSelector(), FakeSelector(), FakeSelections()
        self.backup.documents = self.selector.documents
        self.sources = sources
        self._work: list[Coroutine[Any, Any, None]] = []
        self.ladder = ladder_of(self.selector, self._work.append, backup=self.backup, cache=self.cache, sources=sources)
        for source in ("docs", "code", "history", "examples"):
            self.selector.store("acme", f"{source}.md", f"Text of {source}.", source=source)

    def break_source(self, name: str, reason: str = "STAGE_UNAVAILABLE") -> None:
        self.selector.broken[name] = self.backup.broken[name] = reason

    async def select(
        self,
        *,
        principal: Principal = ANNA,
        keep: bool = True,
        seconds: float = 10.0,
        searches: bool = True,
        **fields: Any,
    ) -> Selected:
        request = pb.BuildContextRequest(**{"question": "Why?", "max_tokens": 1000, **fields})
        recipe = recipe_of(request, default_profile("gpt-4o", self.sources))
        deadline = Deadline.after(seconds)
        selected = await self.ladder.select(
            Search(principal, recipe), deadline, keep=keep, search_by=deadline.share(0.6) if searches else None
        )
        await asyncio.gather(*self._work)
        self._work.clear()
        return selected


@pytest.fixture
def world() -> World:
    return World()


def asked(*names: str, **required: bool) -> list[pb.SourceSelection]:
    return [pb.SourceSelection(name=name) for name in names] + [
        pb.SourceSelection(name=name, required=needed) for name, needed in required.items()
    ]


def rungs(selected: Selected) -> dict[str, str]:
    return {report.source: Rung.Name(report.rung).removeprefix("RUNG_").lower() for report in selected.reports}


def found(selected: Selected) -> list[str]:
    return [passage.passage.passage_id for passage in selected.passages]


async def test_each_source_stands_for_itself_where_nothing_fails(world):
    selected = await world.select()
    assert rungs(selected) == {"code": "primary", "docs": "primary", "history": "primary"}
    assert [(r.passage_count, r.required, r.error_reason, r.stand_in) for r in selected.reports] == [
        (1, False, "", ""),
        (1, False, "", ""),
        (1, True, "", ""),
    ]
    assert not selected.failures
    assert not world.backup.calls


async def test_the_selector_is_told_what_is_declared_of_each_source(world):
    caller = replace(ANNA, groups=frozenset({"b", "a"}))
    await world.select(principal=caller, sources=asked("docs", "vectors", "history"))
    request = world.selector.requests[0]
    assert (request.tenant, list(request.caller.groups), request.caller.sees_all) == ("acme", ["a", "b"], False)
    docs, history, vectors = request.sources
    assert (docs.kind, docs.everywhere, docs.HasField("recency")) == (source_pb2.SOURCE_KIND_DOCS, False, False)
    assert history.kind == source_pb2.SOURCE_KIND_HISTORY
    assert history.recency.half_life.ToTimedelta().days == 30
    assert history.recency.weight == pytest.approx(0.15)
    assert vectors.everywhere
    assert docs.timeout.ToTimedelta().total_seconds() == pytest.approx(0.8 * world.selector.timeouts[0], abs=0.01)


CACHED, FRESH = True, False


@pytest.mark.parametrize(
    ("cached", "fields", "broken", "expected", "passages"),
    [
        pytest.param(CACHED, {}, ["docs"], {"docs": "cache"}, {"docs.md#0"}, id="what it last gave"),
        pytest.param(CACHED, {}, ["docs", "history"], {"docs": "cache", "history": "cache"}, set(), id="of each"),
        pytest.param(
            FRESH, {"sources": asked("history")}, ["history"], {"history": "backup"},
            {"docs.md#0", "code.md#0", "history.md#0"}, id="a required source has its backup searched",
        ),
        pytest.param(
            FRESH, {"sources": asked(docs=True)}, ["docs"], {"docs": "backup"}, {"code.md#0"},
            id="a request can require what is declared optional",
        ),
        pytest.param(
            FRESH, {"sources": asked("vectors", "history")}, ["history"],
            {"history": "backup", "vectors": "primary"}, {"history.md#0"}, id="the backup was asked for too",
        ),
        pytest.param(
            FRESH, {"sources": asked("vectors", "history")}, ["history", "vectors"],
            {"history": "emergency", "vectors": "emergency"}, set(), id="the backup was asked for and failed too",
        ),
        pytest.param(
            FRESH, {"sources": asked("history")}, ["history", "vectors"], {"history": "emergency"}, set(),
            id="the backup fails as well",
        ),
        pytest.param(
            FRESH, {"sources": asked("examples")}, ["examples"], {"examples": "minimal"}, {"examples/default"},
            id="an optional source has its declared default",
        ),
        pytest.param(
            FRESH, {"sources": asked("docs", examples=True)}, ["examples"],
            {"docs": "primary", "examples": "emergency"}, {"docs.md#0"}, id="a required one has none",
        ),
        pytest.param(FRESH, {}, ["code"], {"code": "minimal"}, {"docs.md#0"}, id="an optional one goes without"),
        pytest.param(
            FRESH, {"sources": asked("code")}, ["code"], {"code": "emergency"}, set(), id="nothing but the question"
        ),
        pytest.param(
            FRESH, {"sources": asked("code"), "passages": [pb.InlinePassage(text="Mine.")]}, ["code"],
            {"code": "minimal"}, set(), id="the request's own passages",
        ),
        pytest.param(
            FRESH,
            {
                "sources": asked("history"),
                "conversation": [message_pb2.ConversationTurn(role=message_pb2.ROLE_USER, text="Hi.")],
            },
            ["history", "vectors"], {"history": "minimal"}, set(), id="the request's own conversation",
        ),
    ],
)  # fmt: skip
async def test_the_rung_that_stands_in(world, cached, fields, broken, expected, passages):
    if cached:
        await world.select(**fields)
    for name in broken:
        world.break_source(name)
    before = {name: fallbacks(name, rung) for name, rung in expected.items()}
    selected = await world.select(**fields)
    assert rungs(selected) | expected == rungs(selected)
    assert set(found(selected)) >= passages
    assert len(set(found(selected))) == len(found(selected))
    for report in selected.reports:
        failed = report.source in broken
        assert (report.error_reason, bool(report.stand_in)) == ("STAGE_UNAVAILABLE" if failed else "", failed)
    asked_for = [name for name in broken if name in rungs(selected)]
    assert [failure.reason for failure in selected.failures] == ["STAGE_UNAVAILABLE"] * len(asked_for)
    for name, rung in expected.items():
        assert fallbacks(name, rung) == before[name] + (name in broken)


def fallbacks(source: str, rung: str) -> float:
    labels = {"source": source, "rung": rung}
    return metrics.REGISTRY.get_sample_value("context_fallbacks_total", labels) or 0


async def test_without_the_selector_everything_comes_from_the_cache_with_the_questions_vector(world):
    before = await world.select()
    world.selector.away = True
    selected = await world.select()
    assert rungs(selected) == {"code": "cache", "docs": "cache", "history": "cache"}
    assert selected.passages == before.passages
    assert selected.question_vector == UNIT
    assert selected.corpus_version == 0
    assert [failure.reason for failure in selected.failures] == ["STAGE_UNAVAILABLE"]
    assert not world.backup.calls


OTHERS = [
    pytest.param({"question": "Who?"}, {}, id="another question"),
    pytest.param({"filter": [source_pb2.MetadataCondition(key="a", any_of=["b"])]}, {}, id="another filter"),
    pytest.param({"max_tokens": 20_000}, {}, id="another limit"),
    pytest.param({}, {"tenant": "other"}, id="another tenant"),
    pytest.param({}, {"groups": frozenset({"hr"})}, id="other groups"),
    pytest.param({}, {"sees_all": True}, id="a caller that sees all"),
]


@pytest.mark.parametrize(("fields", "changes"), OTHERS)
async def test_what_was_given_stands_in_for_nothing_else(world, fields, changes):
    await world.select()
    world.selector.away = True
    selected = await world.select(principal=replace(ANNA, **changes), **fields)
    assert set(rungs(selected).values()) == {"emergency"}
    assert not selected.passages


async def test_white_space_and_the_callers_name_make_no_difference(world):
    await world.select(question="Why  that?")
    world.selector.away = True
    selected = await world.select(question=" Why that?\n", principal=replace(ANNA, key_id="bert"))
    assert set(rungs(selected).values()) == {"cache"}


async def test_a_plan_leaves_the_cache_as_it_is(world):
    await world.select(keep=False)
    assert not world.cache.kept


async def test_a_source_that_failed_does_not_take_the_place_of_what_it_once_gave(world):
    await world.select()
    world.break_source("docs")
    await world.select()
    assert rungs(await world.select())["docs"] == "cache"


async def test_what_the_selector_says_of_the_request_is_raised(world, monkeypatch):
    refusal = errors.UNKNOWN_FILTER_KEY.error("no", field_violations=[("filter[0].key", "must be a key")])

    async def refuse(request, *, timeout):
        raise refusal

    monkeypatch.setattr(world.selector, "select", refuse)
    with pytest.raises(errors.ScicError) as caught:
        await world.select()
    assert caught.value == refusal


async def test_a_source_that_fails_again_and_again_is_not_asked_for_a_while(world):
    world.break_source("docs")
    for _ in range(5):
        await world.select()
    selected = await world.select()
    assert [query.source for query in world.selector.requests[-1].sources] == ["code", "history"]
    assert rungs(selected) == {"code": "primary", "docs": "minimal", "history": "primary"}
    assert selected.reports[1].error_reason == "STAGE_UNAVAILABLE"


async def test_callers_in_a_hurry_leave_a_source_to_the_others(world):
    world.break_source("docs", "DEADLINE_EXCEEDED")
    for _ in range(6):
        await world.select(seconds=0.5)
    assert [query.source for query in world.selector.requests[-1].sources] == ["code", "docs", "history"]


async def test_a_selector_that_is_away_says_nothing_about_its_sources(world):
    world.selector.away = True
    for _ in range(6):
        await world.select()
    world.selector.away = False
    assert set(rungs(await world.select()).values()) == {"primary"}


async def test_a_backup_that_was_asked_for_is_not_searched_again(world):
    world.break_source("history")
    await world.select(sources=asked("vectors", "history"))
    world.break_source("vectors")
    await world.select(sources=asked("vectors", "history"))
    assert not world.backup.calls


async def test_the_best_comes_first_whatever_rung_it_came_from(world):
    await world.select()
    for stored in world.cache.kept.values():
        for passage in stored.passages:
            passage.score.value = {"history": 0.9, "docs": 0.1}.get(passage.found_by, 0.4)
    world.break_source("history")
    world.break_source("docs")
    assert found(await world.select()) == ["history.md#0", "code.md#0", "docs.md#0"]


async def test_a_passage_that_one_source_gave_in_full_is_no_duplicate_of_another(world):
    world.selector.copies = {"docs.md#0": "code.md#0"}
    selected = await world.select()
    assert [(p.passage.passage_id, p.duplicate_of) for p in selected.passages] == [
        ("code.md#0", ""),
        ("docs.md#0", ""),
        ("history.md#0", ""),
    ]


async def test_a_duplicate_goes_with_what_stood_for_it(world):
    world.selector.copies = {"docs.md#0": "copy.md#0"}
    assert found(await world.select())[-1] == "copy.md#0"
    for one in world.cache.kept.values():
        for passage in one.passages:
            passage.duplicate_of = passage.duplicate_of and "gone.md#0"
    world.selector.away = True
    assert "copy.md#0" not in found(await world.select())


FAULTS = st.fixed_dictionaries(
    {
        "selector": st.booleans(),
        "backup": st.booleans(),
        "cache": st.booleans(),
        "broken": st.sets(st.sampled_from(list(SOURCES))),
        "warm": st.booleans(),
        "seconds": st.sampled_from([0.0, 0.01, 10.0]),
    }
)


@settings(max_examples=100, deadline=None)
@given(
    faults=FAULTS,
    names=st.dictionaries(st.sampled_from(list(SOURCES)), st.sampled_from([None, True, False])),
    brought=st.booleans(),
)
async def test_whatever_fails_each_source_has_one_report_and_each_passage_stands_once(faults, names, brought):
    world = World()
    fields: dict[str, Any] = {
        "sources": [pb.SourceSelection(name=name, required=required) for name, required in names.items()],
        "passages": [pb.InlinePassage(text="Mine.")] if brought else [],
    }
    if faults["warm"]:
        await world.select(**fields)
    world.selector.away, world.backup.away = faults["selector"], faults["backup"]
    world.cache.away = faults["cache"]
    for name in faults["broken"]:
        world.break_source(name)
    selected = await world.select(seconds=faults["seconds"], **fields)
    assert [report.source for report in selected.reports] == sorted(names or ["docs", "code", "history"])
    for report in selected.reports:
        failed = faults["selector"] or report.source in faults["broken"]
        assert (report.rung == Rung.RUNG_PRIMARY) == (not failed) == (report.error_reason == "")
        assert report.rung != Rung.RUNG_UNSPECIFIED
    assert bool(selected.failures) == any(report.error_reason for report in selected.reports)
    assert len(set(found(selected))) == len(found(selected))


async def test_without_time_to_search_only_the_other_rungs_are_climbed(world):
    before = await world.select()
    calls = len(world.selector.calls)
    selected = await world.select(searches=False)
    assert rungs(selected) == {"code": "cache", "docs": "cache", "history": "cache"}
    assert selected.passages == before.passages
    assert (len(world.selector.calls), world.backup.calls) == (calls, [])
    (failure,) = selected.failures
    assert failure.reason == "DEADLINE_EXCEEDED"
    assert "1 passage of docs may be older than its corpus" in failure.cost
    fresh = await world.select(question="Who?", searches=False)
    assert set(rungs(fresh).values()) == {"emergency"}
    assert "up to 8 passages of docs missing" in fresh.failures[0].cost


async def test_where_all_sources_fail_together_the_backup_is_searched_all_the_same(world):
    world.selector.away = StageError("selector", "STAGE_UNAVAILABLE", answered=True)
    selected = await world.select(sources=asked("history"))
    assert rungs(selected) == {"history": "backup"}
    assert set(found(selected)) == {"docs.md#0", "code.md#0", "history.md#0", "examples.md#0"}
    assert world.backup.calls == ["select"]
    assert [failure.reason for failure in selected.failures] == ["STAGE_UNAVAILABLE"]


async def test_sources_that_fail_together_have_their_breakers_opened(world):
    world.selector.away = StageError("selector", "STAGE_UNAVAILABLE", answered=True)
    for _ in range(5):
        await world.select(sources=asked("history"))
    calls = len(world.selector.calls)
    assert rungs(await world.select(sources=asked("history"))) == {"history": "backup"}
    assert len(world.selector.calls) == calls
