"""Summaries in the place of what extraction kept: only those that hold, never over budget, never an error."""

from __future__ import annotations

import asyncio
import dataclasses
from dataclasses import dataclass, field

import pytest

from scic import errors
from services.chassis.settings import SettingsError, load_settings
from services.compressor.decision import Decision
from services.compressor.passage import (
    CompressedPassage,
    CompressInput,
    CompressOutput,
    Fate,
    Passage,
    Reason,
    SectionUse,
)
from services.compressor.pins.pin import PinType
from services.compressor.prepare import title_line
from services.compressor.settings import CompressorSettings
from services.compressor.summary.ports import SummaryError
from services.compressor.summary.summarise import summarise
from services.text.shortening import DecisionReason, Level
from services.text.tokens import encoding_for

ENCODING = encoding_for("cl100k_base")
HERON = (
    "The heron is a bird that lives near the shallow water of lakes and rivers. It stands still for a long time "
    "and waits. The heron eats fish and frogs. It weighs 2 kg at most. The heron does not dive. Its nest is high in "
    "the trees, and both of the parents feed the young. In the winter it leaves the lakes when the ice closes them."
)
TOWER = (
    "The tower was built of stone in 1874 by the people of the town. Its keeper had to carry the oil up the "
    "stairs. The tower did not burn in the great fire. It was closed in 1931, and the lamp was sold to a museum in "
    "the north. The stairs were made new after the war, and the door was painted in the colours of the town."
)
GOOD = "The heron eats fish and frogs."
SECONDS = 30.0


@dataclass
class FakeSummariser:
    """Answers by the passage's title; notes what it was asked."""

    answers: dict[str, str | Exception] = field(default_factory=dict)
    asked: list[tuple[str, int, float]] = field(default_factory=list)
    hangs: frozenset[str] = frozenset()

    async def summarise(self, question: str, title: str, text: str, max_tokens: int, timeout_seconds: float) -> str:
        self.asked.append((title, max_tokens, timeout_seconds))
        if title in self.hangs:
            await asyncio.Event().wait()
        answer = self.answers[title]
        if isinstance(answer, Exception):
            raise answer
        return answer


def job(*passages: Passage) -> CompressInput:
    return CompressInput(
        question="What does the heron eat?",
        question_vector=None,
        passages=passages,
        max_tokens=1_000,
        encoding=ENCODING,
        overhead_tokens=4,
    )


ONE = job(Passage("0", "Heron", HERON, "docs"))
TWO = job(Passage("0", "Heron", HERON, "docs"), Passage("1", "Tower", TOWER, "docs"))


def extract(request: CompressInput, fate: Fate = Fate.COMPRESSED, level: Level = Level.HEAVY) -> CompressOutput:
    """What extraction could have kept: of each passage the first 150 characters, all or nothing."""
    passages = []
    for passage in request.passages:
        size = {Fate.COMPRESSED: 150, Fate.KEPT: len(passage.text), Fate.DROPPED: 0}[fate]
        part = CompressedPassage(
            id=passage.id,
            spans=((0, size),) if size else (),
            text=passage.text[:size],
            token_count=ENCODING.count(f"{passage.text[:size]}\n") if size else 0,
            original_token_count=ENCODING.count(f"{passage.text}\n"),
            fate=fate,
            reason=Reason.BEST_UNITS,
            raw=False,
        )
        passages.append(part)
    output = CompressOutput(tuple(passages), 0, Decision(level, DecisionReason.OVER_BUDGET, 100, 400, None), ())
    total = used(request, output)
    return dataclasses.replace(output, token_count=total, section_uses=(SectionUse(total, len(passages)),))


def used(request: CompressInput, output: CompressOutput) -> int:
    """What the result really takes."""
    return sum(
        ENCODING.count(title_line(passage.title)) + request.overhead_tokens + ENCODING.count(f"{kept.text}\n")
        for passage, kept in zip(request.passages, output.passages, strict=True)
        if kept.fate is not Fate.DROPPED
    )


async def run(
    request: CompressInput, summariser: FakeSummariser, seconds: float = SECONDS
) -> tuple[CompressOutput, str]:
    return await summarise(request, extract(request), summariser, seconds)


async def test_a_summary_that_holds_stands_for_the_whole_passage():
    before = extract(ONE).passages[0]
    summariser = FakeSummariser({"Heron": GOOD})
    output, degraded = await run(ONE, summariser)
    (after,) = output.passages
    assert (after.text, after.spans, degraded) == (GOOD, ((0, len(HERON)),), "")
    assert (after.fate, after.reason) == (Fate.COMPRESSED, Reason.SUMMARY)
    assert after.token_count == ENCODING.count(f"{GOOD}\n") <= before.token_count
    assert output.token_count == output.section_uses[0].token_count == used(ONE, output) < extract(ONE).token_count
    (asked,) = summariser.asked
    assert asked[:2] == ("Heron", before.token_count - 1)
    assert 0 < asked[2] <= SECONDS


async def test_pins_that_stand_in_the_summary_are_kept_and_the_others_dropped():
    before = extract(ONE)
    found = {PinType.NUMBER: (0, 1), PinType.NEGATION: (1, 0)}
    kept, dropped = zip(*(found.get(kind, (0, 0)) for kind in PinType), strict=True)
    part = dataclasses.replace(before.passages[0], kept_pins=kept, dropped_pins=dropped)
    before = dataclasses.replace(before, passages=(part,))
    summariser = FakeSummariser({"Heron": "It weighs 2 kg at most."})
    output, _ = await summarise(ONE, before, summariser, SECONDS)
    (after,) = output.passages
    assert after.reason is Reason.SUMMARY
    assert (after.kept_pins, after.dropped_pins) == (dropped, kept)


async def test_the_title_counts_as_said():
    request = job(Passage("0", "Birds > Egret", HERON.replace("The heron", "It"), "docs"))
    output, _ = await run(request, FakeSummariser({"Birds > Egret": "The Egret eats fish and frogs."}))
    assert output.passages[0].reason is Reason.SUMMARY


UNAVAILABLE = errors.STAGE_UNAVAILABLE
LATE = errors.DEADLINE_EXCEEDED


@pytest.mark.parametrize(
    ("answer", "degraded"),
    [
        pytest.param("The heron eats 3 fish a day.", "", id="breaks the contract"),
        pytest.param("The heron dives.", "", id="loses a negation"),
        pytest.param(f"{HERON} {HERON}", "", id="too long"),
        pytest.param(SummaryError("cut off"), "", id="cannot be used"),
        pytest.param(SummaryError("away", UNAVAILABLE), UNAVAILABLE.name, id="away"),
        pytest.param(SummaryError("late", LATE), LATE.name, id="late"),
        pytest.param(RuntimeError("bug"), errors.INTERNAL.name, id="a bug"),
    ],
)
async def test_without_a_summary_that_holds_the_extracted_part_stays(answer, degraded):
    output, reason = await run(ONE, FakeSummariser({"Heron": answer}))
    assert output == extract(ONE)
    assert reason == degraded


async def test_a_passage_that_says_nothing_about_the_question_is_dropped():
    output, degraded = await run(TWO, FakeSummariser({"Heron": GOOD, "Tower": ""}))
    heron, tower = output.passages
    assert (heron.reason, tower.fate, tower.reason, degraded) == (
        Reason.SUMMARY,
        Fate.DROPPED,
        Reason.LESS_RELEVANT,
        "",
    )
    assert (tower.spans, tower.text, tower.token_count) == ((), "", 0)
    assert not any(tower.kept_pins)
    assert output.section_uses[0].passage_count == 1
    assert output.token_count == output.section_uses[0].token_count == used(TWO, output)


async def test_one_that_fails_or_is_late_does_not_cost_the_others():
    output, degraded = await run(TWO, FakeSummariser({"Heron": GOOD}, hangs=frozenset({"Tower"})), 0.5)
    assert output.passages[0].reason is Reason.SUMMARY
    assert output.passages[1] == extract(TWO).passages[1]
    assert degraded == LATE.name


async def test_without_time_nothing_is_asked():
    summariser = FakeSummariser({"Heron": GOOD})
    output, degraded = await run(ONE, summariser, 0.0)
    assert (output, degraded, summariser.asked) == (extract(ONE), LATE.name, [])


async def test_a_caller_that_leaves_ends_the_calls():
    left = asyncio.Event()

    class Waiting(FakeSummariser):
        async def summarise(self, *_: object) -> str:
            try:
                await asyncio.Event().wait()
            finally:
                left.set()
            return ""

    task = asyncio.create_task(run(ONE, Waiting()))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert left.is_set()


@pytest.mark.parametrize(
    ("text", "kind", "fate", "level"),
    [
        pytest.param(HERON, "docs", Fate.COMPRESSED, Level.MEDIUM, id="medium"),
        pytest.param(HERON, "docs", Fate.KEPT, Level.HEAVY, id="whole"),
        pytest.param(HERON, "docs", Fate.DROPPED, Level.HEAVY, id="dropped"),
        pytest.param(f"# {HERON}", "code", Fate.COMPRESSED, Level.HEAVY, id="code"),
        pytest.param(f'\n{{"text": "{HERON}"}}', "docs", Fate.COMPRESSED, Level.HEAVY, id="JSON"),
        pytest.param(
            "Der Reiher frisst Fische. Er taucht nicht. " * 9, "docs", Fate.COMPRESSED, Level.HEAVY, id="German"
        ),
    ],
)
async def test_only_parts_of_english_prose_at_level_heavy_are_summarised(text, kind, fate, level):
    request = job(Passage("0", "Heron", text, kind))
    before = extract(request, fate, level)
    summariser = FakeSummariser({"Heron": GOOD})
    assert await summarise(request, before, summariser, SECONDS) == (before, "")
    assert not summariser.asked


async def test_patterns_of_the_request_hold_for_summaries():
    text = HERON.replace("fish and frogs", "fish and frogs of group-a and group-b")
    request = dataclasses.replace(job(Passage("0", "Heron", text, "docs")), pin_patterns=("group-[a-z]+",))
    output, _ = await run(request, FakeSummariser({"Heron": "The heron eats frogs of group-ab."}))
    assert output == extract(request)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        pytest.param({"MODEL": "m"}, "SCIC_COMPRESSOR_SUMMARY_URL is missing", id="no URL"),
        pytest.param(
            {"URL": "http://a/v1"}, "SCIC_COMPRESSOR_SUMMARY_URL is 'http://a/v1'; expected: nothing, or", id="URL"
        ),
        pytest.param(
            {"API_KEY": "hush"}, "SCIC_COMPRESSOR_SUMMARY_API_KEY is a secret; expected: nothing, or", id="key"
        ),
        pytest.param({"MODEL": "m", "URL": "a/v1"}, "SCIC_COMPRESSOR_SUMMARY_URL is 'a/v1'", id="no scheme"),
    ],
)
def test_half_a_configuration_is_refused_in_one_sentence(monkeypatch, tmp_path, given, complaint):
    monkeypatch.setenv("SCIC_COMPRESSOR_MODEL_DIR", str(tmp_path))
    for name, value in given.items():
        monkeypatch.setenv(f"SCIC_COMPRESSOR_SUMMARY_{name}", value)
    with pytest.raises(SettingsError) as caught:
        load_settings(CompressorSettings)
    (mistake,) = caught.value.mistakes
    assert mistake.startswith(complaint)
    assert "hush" not in mistake


@pytest.mark.parametrize("given", [{}, {"MODEL": "", "URL": "", "API_KEY": ""}], ids=["nothing", "empty"])
def test_without_a_model_there_is_none(monkeypatch, tmp_path, given):
    monkeypatch.setenv("SCIC_COMPRESSOR_MODEL_DIR", str(tmp_path))
    for name, value in given.items():
        monkeypatch.setenv(f"SCIC_COMPRESSOR_SUMMARY_{name}", value)
    assert not load_settings(CompressorSettings).summary_model
