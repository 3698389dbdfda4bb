"""Puts verified summaries in the place of what extraction kept."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from scic import errors
from services.chassis.logs import get_logger
from services.chassis.work import on_thread
from services.compressor.passage import Fate, Reason
from services.compressor.pins.find import find_pins
from services.compressor.pins.patterns import compile_patterns
from services.compressor.pins.pin import NO_PINS, PinType
from services.compressor.prepare import title_line
from services.compressor.summary.facts import stands
from services.compressor.summary.ports import SummaryError
from services.compressor.summary.sentence import normalise
from services.compressor.summary.verify import is_verifiable, verify
from services.compressor.units.json_members import may_be_json
from services.text.shortening import Level

if TYPE_CHECKING:
    from services.compressor.passage import CompressedPassage, CompressInput, CompressOutput, Passage
    from services.compressor.pins.pin import PinCounts
    from services.compressor.summary.ports import Summariser

_log = get_logger(__name__)

_AWAY: Final = (errors.INTERNAL.name, errors.STAGE_UNAVAILABLE.name, errors.DEADLINE_EXCEEDED.name)
"""Failures that the reply tells of, the worst first. That the contract refuses a summary is no failure."""
_TOO_LONG: Final = "too_long"
_UNUSABLE: Final = "unusable"


async def summarise(
    request: CompressInput, output: CompressOutput, summariser: Summariser, deadline_seconds: float
) -> tuple[CompressOutput, str]:
    """The output with summaries, and a reason of the error catalogue where some were not to be had, else "".

    At level heavy, every passage of prose of which a part is kept is summarised whole, in at most the tokens of that
    part, so the budget holds; a passage that says nothing about the question is dropped. Where a summary breaks the
    contract, is too long, late or fails, the part stays. Never raises because of the model.

    Args:
        request: what was asked.
        output: what extraction made of it.
        summariser: the model.
        deadline_seconds: for all; late summaries are not waited for.
    """
    indexes = [index for index in range(len(output.passages)) if _is_worth_it(request, output, index)]
    if not indexes:
        return output, ""
    if deadline_seconds <= 0:
        return output, errors.DEADLINE_EXCEEDED.name
    end = asyncio.get_running_loop().time() + deadline_seconds
    attempts = await asyncio.gather(
        *(_attempt(request, request.passages[index], output.passages[index], summariser, end) for index in indexes)
    )
    passages = list(output.passages)
    for index, attempt in zip(indexes, attempts, strict=True):
        if not isinstance(attempt, str):
            passages[index] = attempt
    failures = Counter(attempt for attempt in attempts if isinstance(attempt, str))
    degraded = next((reason for reason in _AWAY if reason in failures), "")
    if failures:
        log = _log.warning if degraded else _log.info
        log("summaries_refused", asked=len(indexes), **failures)
    return _total(request, output, passages), degraded


def _is_worth_it(request: CompressInput, output: CompressOutput, index: int) -> bool:
    """Whether a part of a passage of prose was kept. What parses must parse in the end, and no summary does."""
    passage = request.passages[index]
    return (
        output.decision.level is Level.HEAVY
        and output.passages[index].fate is Fate.COMPRESSED
        and passage.kind != "code"
        and not may_be_json(passage.text)
    )


async def _attempt(
    request: CompressInput, passage: Passage, part: CompressedPassage, summariser: Summariser, end: float
) -> CompressedPassage | str:
    """What stands for a passage now, or why its summary does not."""
    try:
        async with asyncio.timeout_at(end):
            if not await on_thread(None, is_verifiable, passage.text):
                return part
            left = end - asyncio.get_running_loop().time()
            summary = await summariser.summarise(
                request.question, passage.title, passage.text, part.token_count - 1, left
            )
            return await on_thread(None, _check, request, passage, part, summary)
    except TimeoutError:
        return errors.DEADLINE_EXCEEDED.name
    except SummaryError as error:
        _log.debug("summary_failed", error=str(error))
        return error.reason.name if error.reason else _UNUSABLE
    except Exception as error:  # noqa: BLE001 - whatever fails here, what was extracted still stands
        _log.error("summary_broke", exc_info=error)
        return errors.INTERNAL.name


def _check(request: CompressInput, passage: Passage, part: CompressedPassage, summary: str) -> CompressedPassage | str:
    if not summary.strip():
        return _dropped(part)
    tokens = request.encoding.count(f"{summary}\n")
    if tokens > part.token_count:
        return _TOO_LONG
    violation = verify(summary, f"{passage.title}\n\n{passage.text}", request.pin_patterns)
    if violation:
        return violation.value
    all_pins = tuple(map(sum, zip(part.kept_pins, part.dropped_pins, strict=True)))
    kept = tuple(map(min, zip(all_pins, _standing_pins(passage, summary, request.pin_patterns), strict=True)))
    return replace(
        part,
        spans=((0, len(passage.text)),),
        text=summary,
        token_count=tokens,
        reason=Reason.SUMMARY,
        kept_pins=kept,
        dropped_pins=tuple(a - b for a, b in zip(all_pins, kept, strict=True)),
    )


def _standing_pins(passage: Passage, summary: str, patterns: tuple[str, ...]) -> PinCounts:
    """By type, the pins of a passage that stand word for word in its summary."""
    text, shown = passage.text, normalise(summary)
    pins = find_pins(text, passage.kind) + (compile_patterns(patterns).find(text) if patterns else [])
    counts = Counter(pin.type for pin in pins if stands(normalise(text[pin.start : pin.end]), shown))
    return tuple(counts[kind] for kind in PinType)


def _dropped(part: CompressedPassage) -> CompressedPassage:
    return replace(
        part,
        spans=(),
        text="",
        token_count=0,
        fate=Fate.DROPPED,
        reason=Reason.LESS_RELEVANT,
        kept_pins=NO_PINS,
        dropped_pins=tuple(map(sum, zip(part.kept_pins, part.dropped_pins, strict=True))),
    )


def _total(request: CompressInput, output: CompressOutput, passages: list[CompressedPassage]) -> CompressOutput:
    """The output with these passages, none larger than before, and what they take."""
    uses = list(output.section_uses)
    for passage, before, after in zip(request.passages, output.passages, passages, strict=True):
        saved, gone = before.token_count - after.token_count, 0
        if before.fate is not after.fate:
            saved += request.encoding.count(title_line(passage.title)) + request.overhead_tokens
            gone = 1
        use = uses[passage.section]
        uses[passage.section] = replace(
            use, token_count=use.token_count - saved, passage_count=use.passage_count - gone
        )
    return replace(
        output,
        passages=tuple(passages),
        token_count=sum(use.token_count for use in uses),
        section_uses=tuple(uses),
    )
