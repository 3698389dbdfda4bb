"""CompressText: a size that holds, offsets into the text as it was sent, and what stands in for the compressor."""

import ast
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scic import ScicError, errors
from scic.gateway.v1 import context_service_pb2 as pb
from scic.type.v1 import compression_pb2, degradation_pb2
from services.chassis.deadline import Deadline
from services.gateway.compress_text.compression import TextCompression
from services.gateway.guard.guard import Guard
from services.gateway.guard.policy import SensitiveType
from services.gateway.profiles.profile import default_profile
from services.text.tokens import encoding_for
from tests.fakes import PlainCompressor, WordDetectors

ENCODING = encoding_for("o200k_base")
PROSE = "The heron stands still in the shallow water and waits for a fish. It eats frogs too. " * 8
GUIDE = "\n\n".join(["# Guide", "Herons wade.", *(f"## Part {n}\n\n{PROSE}\n\n{PROSE}" for n in range(4))])
MODULE = "import math\n\n\n" + "\n\n\n".join(
    f'def area_{n}(radius: float) -> float:\n    """The area, {n} times."""\n    return {n} * math.pi * radius**2'
    for n in range(40)
)


class World:
    def __init__(self, executor: ThreadPoolExecutor, pin_patterns: tuple[str, ...] = ()) -> None:
        self.compressor, self.detectors = PlainCompressor(), WordDetectors()
        profile = default_profile("gpt-4o", pin_patterns=pin_patterns)
        self.texts = TextCompression(self.compressor, profile, Guard(self.detectors), executor, time.monotonic)

    async def compress(self, text: str, *, seconds: float = 10.0, **fields: Any) -> pb.CompressTextResponse:
        request = pb.CompressTextRequest(**{"question": "What do herons eat?", "text": text, **fields})
        return await self.texts.compress(request, Deadline.after(seconds))


@pytest.fixture(scope="module")
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


@pytest.fixture
def world(executor: ThreadPoolExecutor) -> World:
    return World(executor)


def kept(response: pb.CompressTextResponse, text: str) -> list[str]:
    return [text[span.start : span.end] for span in response.spans]


async def test_what_is_left_stands_in_the_text_where_the_spans_say(world):
    response = await world.compress(GUIDE, name="guide.md", ratio=0.5)
    pieces = kept(response, GUIDE)
    assert pieces
    position = 0
    for piece in pieces:
        position = response.text.index(piece, position) + len(piece)
    assert [(s.start, s.end) for s in response.spans] == sorted((s.start, s.end) for s in response.spans)
    assert (response.model, response.encoding) == ("gpt-4o", "o200k_base")


async def test_neighbours_that_are_kept_stand_as_they_stood(world):
    response = await world.compress(GUIDE, name="guide.md", ratio=0.5)
    assert response.text == GUIDE[: response.spans[-1].end]


@pytest.mark.parametrize("ratio", [0.02, 0.1, 0.3, 0.5, 0.75, 0.99])
@pytest.mark.parametrize("name", ["guide.md", "guide.txt", "guide.html"])
async def test_a_ratio_is_a_share_of_the_tokens_as_sent(world, name, ratio):
    response = await world.compress(GUIDE, name=name, ratio=ratio)
    counted = ENCODING.count(response.text)
    decision = response.decision
    assert decision.original_token_count == ENCODING.count(GUIDE)
    assert counted == decision.token_count <= decision.max_tokens == int(ratio * decision.original_token_count)
    assert decision.cost_usd == pytest.approx(counted * 2.5e-6)
    assert str(counted) in decision.detail


@pytest.mark.parametrize(
    ("ratio", "level"),
    [
        pytest.param(1.0, compression_pb2.COMPRESSION_LEVEL_NONE, id="all of it"),
        pytest.param(0.72, compression_pb2.COMPRESSION_LEVEL_LIGHT, id="light"),
        pytest.param(0.69, compression_pb2.COMPRESSION_LEVEL_MEDIUM, id="medium"),
        pytest.param(0.42, compression_pb2.COMPRESSION_LEVEL_MEDIUM, id="still medium"),
        pytest.param(0.39, compression_pb2.COMPRESSION_LEVEL_HEAVY, id="heavy"),
    ],
)
async def test_the_level_is_that_of_the_share_asked_for(world, ratio, level):
    assert (await world.compress(GUIDE, name="guide.md", ratio=ratio)).decision.level == level


@pytest.mark.parametrize("size", [{"ratio": 1.0}, {"max_tokens": 100_000}], ids=["ratio", "tokens"])
@pytest.mark.parametrize("name", ["guide.md", "guide.html", "guide.py"])
async def test_what_fits_is_left_to_the_last_character(world, name, size):
    response = await world.compress(GUIDE, name=name, **size)
    assert response.text == GUIDE
    assert kept(response, GUIDE) == [GUIDE]
    assert response.decision.reason == compression_pb2.CompressionDecision.REASON_FITS
    assert not world.compressor.prepared, "nothing is read that is not to be shortened"


@settings(max_examples=40, deadline=None)
@given(
    blocks=st.lists(
        st.sampled_from(
            ["# Title", "## Part", "### Deep", "- item", "| a | b |", PROSE, "\n\n", "Ende. 终わり。 نهاية"]
        )
        | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=80),
        min_size=1,
        max_size=12,
    ).filter(lambda blocks: any(block.strip() for block in blocks)),
    max_tokens=st.integers(1, 400),
    name=st.sampled_from(["a.md", "a.txt", "a.html", "a.py", "a.json"]),
)
async def test_whatever_is_sent_the_result_fits(executor, blocks, max_tokens, name):
    text = "\n\n".join(blocks)
    try:
        response = await World(executor).compress(text, name=name, max_tokens=max_tokens)
    except ScicError as error:
        assert error.reason == "EMPTY_DOCUMENT"  # noqa: PT017 - most texts are read
        return
    assert ENCODING.count(response.text) == response.decision.token_count <= max_tokens
    assert all(0 <= span.start < span.end <= len(text) for span in response.spans)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("area.py", MODULE, id="code"),
        pytest.param("birds.json", json.dumps([{"heron": n} for n in range(400)], indent=1), id="JSON"),
    ],
)
async def test_what_must_parse_is_compressed_as_one(world, name, text):
    await world.compress(text, name=name, ratio=0.5)
    (passage,) = world.compressor.requests[0].passages
    assert (passage.text, list(passage.title_path)) == (text, [])


async def test_too_much_to_be_one_passage_is_cut(world):
    text = json.dumps([{"heron": n} for n in range(6_000)], indent=1)
    await world.compress(text, content_type="application/json; charset=utf-8", ratio=0.5, words_only=True)
    assert len(world.compressor.requests[0].passages) > 1


async def test_the_text_is_read_for_its_meaning_once_however_often_it_is_asked_for(world):
    await world.compress(GUIDE, name="guide.md", ratio=0.5)
    assert len(world.compressor.requests) > 1
    passages = world.compressor.requests[0].passages
    assert world.compressor.prepared == [passage.text for passage in passages]
    for request in world.compressor.requests:
        assert request.encode
        assert [p.prepared for p in request.passages] == [p.text.encode() for p in request.passages]


async def test_words_alone_decide_where_that_is_asked_for(world):
    response = await world.compress(GUIDE, name="guide.md", ratio=0.5, words_only=True)
    assert not world.compressor.prepared
    assert not any(request.encode for request in world.compressor.requests)
    assert not response.degradations


@pytest.mark.parametrize(
    ("fails", "seconds"), [pytest.param(1, 10.0, id="the encoder is away"), pytest.param(0, 0.5, id="too little time")]
)
async def test_words_alone_decide_where_meaning_cannot_be_read(world, fails, seconds):
    world.compressor.fails = fails
    response = await world.compress(GUIDE, name="guide.md", ratio=0.5, seconds=seconds)
    assert [(d.stage, d.reason) for d in response.degradations] == [
        (degradation_pb2.STAGE_COMPRESS, "DEADLINE_EXCEEDED")
    ]
    assert "words alone" in response.degradations[0].detail
    assert not world.compressor.requests[0].encode
    assert response.text


@pytest.mark.parametrize(("name", "text"), [("guide.md", GUIDE), ("area.py", MODULE)])
async def test_a_compressor_that_is_away_costs_quality_and_not_the_reply(world, name, text):
    world.compressor.away = True
    response = await world.compress(text, name=name, ratio=0.5, words_only=True)
    assert [(d.stage, d.reason) for d in response.degradations] == [
        (degradation_pb2.STAGE_COMPRESS, "DEADLINE_EXCEEDED")
    ]
    assert response.decision.method == compression_pb2.COMPRESSION_METHOD_PLAIN_CUT
    assert 0 < ENCODING.count(response.text) <= response.decision.max_tokens
    if name == "area.py":
        ast.parse(response.text)


async def test_a_compressor_that_goes_away_later_leaves_what_it_gave(world):
    calls = PlainCompressor.compress

    async def once(request, *, timeout):
        response = await calls(world.compressor, request, timeout=timeout)
        world.compressor.away = True
        return response

    world.compressor.compress = once
    response = await world.compress(GUIDE, name="guide.md", ratio=0.5)
    assert response.text
    assert not response.degradations


async def test_a_ratio_allows_the_whole_and_asks_for_its_share(world):
    await world.compress(GUIDE, name="guide.md", ratio=0.5, prompt_cached=True, dry_run=True, pin_patterns=["a", "b"])
    request = world.compressor.requests[0]
    assert request.target_tokens / request.max_tokens == pytest.approx(0.5, rel=0.01)
    assert (request.prompt_cached, request.dry_run, list(request.pin_patterns)) == (True, True, ["a", "b"])
    assert request.price.cached_input_usd == 1.25
    await world.compress(GUIDE, name="guide.md", max_tokens=200)
    assert world.compressor.requests[-1].target_tokens == 0


async def test_a_share_that_rounds_to_nothing_leaves_nothing(world):
    response = await world.compress(GUIDE, name="guide.md", ratio=0.0001)
    assert (response.text, list(response.spans), response.decision.token_count) == ("", [], 0)
    assert not response.degradations


async def test_what_is_cheaper_from_the_prompt_cache_is_left_whole(world):
    async def cheaper(request, *, timeout):
        response = await PlainCompressor.compress(world.compressor, request, timeout=timeout)
        response.decision.level = compression_pb2.COMPRESSION_LEVEL_NONE
        response.decision.reason = compression_pb2.CompressionDecision.REASON_PROMPT_CACHE_CHEAPER
        return response

    world.compressor.compress = cheaper
    response = await world.compress(GUIDE, name="guide.md", ratio=0.6, prompt_cached=True)
    assert response.text == GUIDE
    assert "prompt cache" in response.decision.detail


async def test_the_profiles_patterns_hold_for_texts_too(executor):
    world = World(executor, tuple(f"p{n}" for n in range(14)))
    await world.compress(GUIDE, ratio=0.5, pin_patterns=["mine"])
    assert list(world.compressor.requests[0].pin_patterns) == ["mine", *(f"p{n}" for n in range(14))]
    with pytest.raises(ScicError) as caught:
        await world.compress(GUIDE, ratio=0.5, pin_patterns=["a", "b", "c"])
    assert caught.value.field_violations == (("pin_patterns", "must be at most 2 beside the profile's own"),)


@pytest.mark.parametrize(
    ("fields", "reason", "field"),
    [
        pytest.param({"model": "gpt-99"}, "UNKNOWN_MODEL", "model", id="model"),
        pytest.param({"content_type": "image/png"}, "UNSUPPORTED_CONTENT_TYPE", "content_type", id="content type"),
        pytest.param({"name": "a.pdf"}, "UNSUPPORTED_CONTENT_TYPE", "name", id="PDF"),
        pytest.param({"text": " \n"}, "EMPTY_DOCUMENT", "text", id="blank"),
        pytest.param({"text": " \n", "name": "a.json"}, "EMPTY_DOCUMENT", "text", id="blank JSON"),
        pytest.param({"text": "a\0b"}, "BINARY_CONTENT", "text", id="NUL"),
        pytest.param({"text": "a\0b", "name": "a.py"}, "BINARY_CONTENT", "text", id="NUL in code"),
        pytest.param({"text": "no turn", "name": "a.jsonl"}, "MALFORMED_CONVERSATION", "text", id="conversation"),
    ],
)
async def test_what_cannot_be_read_is_refused_by_field(world, fields, reason, field):
    with pytest.raises(ScicError) as caught:
        await world.compress(**{"text": GUIDE, "ratio": 0.5, **fields})
    assert caught.value.reason == reason
    assert [violation.field for violation in caught.value.field_violations] == [field]
    assert not world.compressor.requests


async def test_more_passages_than_can_be_sent_are_refused(world):
    text = "\n\n".join(f"# Part {n}\n\n{'word ' * 55}" for n in range(540))
    with pytest.raises(ScicError) as caught:
        await world.compress(text, name="a.md", ratio=0.5, words_only=True)
    assert (caught.value.reason, caught.value.field_violations[0].field) == ("INVALID_FIELD", "text")


@pytest.mark.parametrize(
    ("ratio", "kind", "spared"),
    [
        pytest.param(0.2, SensitiveType.SECRET, True, id="what no LLM may see"),
        pytest.param(0.2, SensitiveType.EMAIL, False, id="what stays by the profile"),
        pytest.param(0.8, SensitiveType.SECRET, False, id="no summary is tried anyway"),
    ],
)
async def test_no_summary_is_asked_of_a_text_that_holds_a_secret(executor, ratio, kind, spared):
    world = World(executor)
    world.detectors.words["heron"] = kind
    await world.compress(GUIDE, ratio=ratio)
    assert {request.dry_run for request in world.compressor.requests} == {spared}


async def test_a_text_that_nobody_could_look_through_is_not_summarised(executor):
    world = World(executor)
    world.detectors.broken = True
    with pytest.raises(errors.ScicError) as caught:
        await world.compress(GUIDE, ratio=0.2)
    assert caught.value.reason == "GUARD_FAILED"
