"""Contexts of a whole mesh: citations that resolve, budgets that hold, a cache that dies in time."""

import ast
import json
import re
from collections.abc import Awaitable, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scic import Client, ScicError, Turn
from scic.gateway.v1 import cache_pb2
from scic.gateway.v1 import context_service_pb2 as pb
from scic.type.v1 import compression_pb2, message_pb2
from services.prompt.defuse import defuse_speech
from services.text.tokens import count_messages, encoding_for
from tests.mesh.conftest import ingested
from tests.mesh.corpus import DOCUMENTS, MARKDOWN, TEXTS, VERBATIM, document, evidence_text
from tests.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

MARK = re.compile(r"\s*(?:…|(?://\s*)?\.\.\.|\| … \|)?\s*")
HIT, MISS = pb.CACHE_STATUS_HIT, pb.CACHE_STATUS_MISS
QUESTIONS = {
    "How many grams of fish does a heron eat a day?": ("notes/herons.md", "300 grams"),
    "How many steps does the keeper of the lighthouse climb?": ("notes/lighthouse.txt", "112 steps"),
    "How much raw amber does the mill at Jantar sort?": ("web/amber.html", "80 kilograms"),
    "How does the gauge correct for air pressure?": ("src/tides.py", "1013.25"),
    "What do bicycles cost on the ferry to Bornholm?": ("chat/ferry.jsonl", "free since March"),
}
BUDGETS = [150, 170, 200, 250, 300, 400, 600, 800, 1200, 2000, 3000]


def assert_fits(built: pb.BuildContextResponse, max_tokens: int) -> None:
    """Counts again, exactly, from the messages alone."""
    encoding = encoding_for(built.encoding)
    counted = count_messages(encoding, [message.content for message in built.messages])
    assert counted == built.tokens.total <= max_tokens == built.tokens.max_tokens
    assert sum(section.token_count for section in built.tokens.sections) == counted


def assert_citations_resolve(built: pb.BuildContextResponse) -> None:
    """Every passage stands in the prompt under its number, and where it says in its document."""
    assert [item.citation for item in built.evidence] == list(range(1, len(built.evidence) + 1))
    if not built.evidence:
        return
    prompt, position = evidence_text(built), 0
    for item in built.evidence:
        position = prompt.index(f"[{item.citation}] ", position)
        position = prompt.index(item.text, position)
        text = TEXTS[item.document_id]
        spans = [(span.start, span.end) for span in item.spans]
        assert spans == sorted(spans)
        assert all(0 <= start < end <= len(text) for start, end in spans)
        if item.document_id in VERBATIM:
            assert_only_marks_between(item.text, [text[start:end] for start, end in spans])
        else:
            assert len(spans) == 1, "one range encloses a passage that is no copy"
        assert item.token_count <= item.original_token_count
        assert (item.fate == pb.Evidence.FATE_WHOLE) == (item.token_count == item.original_token_count)


def assert_only_marks_between(shown: str, pieces: Sequence[str]) -> None:
    """The pieces stand in what is shown, in order, and beside them nothing but marks of what was left out."""
    position = 0
    for piece in pieces:
        begin = shown.index(piece, position)
        assert MARK.fullmatch(shown[position:begin])
        position = begin + len(piece)
    assert MARK.fullmatch(shown[position:])


@pytest.mark.parametrize(("question", "expected"), QUESTIONS.items(), ids=[name for name, _ in QUESTIONS.values()])
@pytest.mark.parametrize("max_tokens", [300, 2000])
async def test_a_question_finds_its_passage_and_the_citation_resolves(
    library: Client, question: str, expected: tuple[str, str], max_tokens: int
) -> None:
    document_id, fact = expected
    built = await library.build_context(question, max_tokens=max_tokens)
    (cited,) = [item for item in built.evidence if fact in item.text]
    assert cited.document_id == document_id
    assert fact in "".join(m.content for m in built.messages if m.trust == cited.trust)
    assert_citations_resolve(built)
    assert_fits(built, max_tokens)
    assert not built.degradations


async def test_messages_stand_in_the_order_that_keeps_the_prefix_stable(library: Client) -> None:
    question, *_ = QUESTIONS
    turns = [Turn("user", "Good morning."), Turn("assistant", "Good morning to you.")]
    built = await library.build_context(question, max_tokens=2000, conversation=turns, request_id="r-1")
    roles = [message.role for message in built.messages]
    user, assistant = message_pb2.ROLE_USER, message_pb2.ROLE_ASSISTANT
    evidence = [message.trust for message in built.messages if message.section == message_pb2.SECTION_EVIDENCE]
    assert roles == [message_pb2.ROLE_SYSTEM, user, assistant, *[user for _ in evidence], user]
    assert len(set(evidence)) == len(evidence) > 0, "evidence of each label stands by itself"
    assert [message.content for message in built.messages[1:3]] == [turn.text for turn in turns]
    assert built.messages[-1].content == question
    assert built.request_id == "r-1"
    other = await library.build_context("What else?", max_tokens=500)
    assert other.messages[0] == built.messages[0]


async def test_every_candidate_is_kept_or_dropped_with_a_reason(library: Client) -> None:
    total = {f"{name}#{n}" for name in TEXTS for n in range((await library.get_document(name)).passage_count)}
    built = await library.build_context("What is there to know?", max_tokens=250)
    kept = {item.passage_id for item in built.evidence}
    dropped = {item.passage_id: item.reason for item in built.dropped}
    assert kept.isdisjoint(dropped)
    assert kept | dropped.keys() == total
    assert set(dropped.values()) <= {
        pb.DroppedPassage.REASON_BUDGET,
        pb.DroppedPassage.REASON_TOO_LARGE,
        pb.DroppedPassage.REASON_CONTRACT,
    }


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4"])
@pytest.mark.parametrize("max_tokens", BUDGETS)
async def test_a_budget_is_never_exceeded(library: Client, max_tokens: int, model: str) -> None:
    for question in QUESTIONS:
        built = await library.build_context(question, max_tokens=max_tokens, model=model)
        assert built.encoding == encoding_for(model).name
        assert_fits(built, max_tokens)
        assert_citations_resolve(built)


async def tokens_needed(call: Awaitable[pb.BuildContextResponse]) -> int:
    """Tokens that a refused request would need; 0 for one that is answered."""
    try:
        await call
    except ScicError as error:
        refused = error
    else:
        return 0
    assert refused.reason == "BUDGET_TOO_SMALL"
    return int(refused.metadata["required_tokens"])


words = st.text(min_size=1, max_size=60).filter(lambda text: any(character.isalnum() for character in text))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    question=words | st.sampled_from(list(QUESTIONS)),
    max_tokens=st.integers(40, 3000),
    model=st.sampled_from(["gpt-4o", "gpt-4", "cl100k_base"]),
    turns=st.lists(st.tuples(st.sampled_from(["user", "assistant"]), words), max_size=4),
    passages=st.lists(words, max_size=4),
)
async def test_whatever_is_asked_fits_or_is_refused_with_the_tokens_it_needs(
    library: Client, question: str, max_tokens: int, model: str, turns: list[tuple[str, str]], passages: list[str]
) -> None:
    options = {
        "model": model,
        "conversation": [Turn(role, text) for role, text in turns],  # type: ignore[arg-type]  # of two strings
        "passages": passages,
    }

    async def build(budget: int) -> pb.BuildContextResponse:
        return await library.build_context(question, max_tokens=budget, **options)  # type: ignore[arg-type]  # options

    if required := await tokens_needed(build(max_tokens)):
        assert required > max_tokens
        max_tokens = required
    built = await build(max_tokens)
    assert_fits(built, max_tokens)
    assert built.messages[-1].content == defuse_speech(question).text
    kept = [m.content for m in built.messages if m.section == message_pb2.SECTION_CONVERSATION]
    shown = [text for text in (defuse_speech(text).text for _, text in turns) if text.strip()]
    assert kept == shown[len(shown) - len(kept) :], "the newest turns, whole"


@pytest.mark.parametrize(
    ("filters", "documents"),
    [
        pytest.param({"team": "birds"}, {"notes/herons.md"}, id="one value"),
        pytest.param({"team": ["birds", "trips"]}, {"notes/herons.md", "chat/ferry.jsonl"}, id="any of several"),
        pytest.param({"team": "coast", "year": "2019"}, {"notes/lighthouse.txt"}, id="several keys"),
        pytest.param({"team": "birds", "year": "2025"}, set(), id="nothing meets both"),
        pytest.param({"team": "Birds"}, set(), id="values are exact"),
    ],
)
async def test_filters_hold_for_every_passage(library: Client, filters: dict[str, str], documents: set[str]) -> None:
    built = await library.build_context("What is there to know?", max_tokens=3000, filters=filters)
    assert {item.document_id for item in built.evidence} == documents


async def test_a_filter_on_a_key_that_no_document_carries_is_refused_by_field(library: Client) -> None:
    with pytest.raises(ScicError) as caught:
        await library.build_context("What is there?", max_tokens=3000, filters={"team": "birds", "nothing": "x"})
    assert caught.value.reason == "UNKNOWN_FILTER_KEY"
    assert [violation.field for violation in caught.value.field_violations] == ["filter[1].key"]


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        pytest.param(["docs"], {"docs"}, id="docs"),
        pytest.param(["code"], {"code"}, id="code"),
        pytest.param(["history"], {"history"}, id="history"),
        pytest.param(["code", "history"], {"code", "history"}, id="two"),
        pytest.param([], {"docs", "code", "history"}, id="all"),
    ],
)
async def test_only_the_sources_asked_for_are_searched(library: Client, sources: list[str], expected: set[str]) -> None:
    built = await library.build_context("What is there to know?", max_tokens=3000, sources=sources)
    assert {item.source for item in built.evidence} == expected
    assert_citations_resolve(built)


async def test_a_source_gives_no_more_than_its_limit(library: Client) -> None:
    built = await library.build_context("What is there to know?", max_tokens=3000, sources={"docs": 1, "code": 2})
    taken = [item.source for item in built.evidence] + [item.source for item in built.dropped]
    assert taken.count("docs") == 1
    assert 1 <= taken.count("code") <= 2


async def test_old_turns_give_way_and_are_named(library: Client) -> None:
    turns = [Turn("user" if number % 2 else "assistant", f"Turn {number}. " + "word " * 40) for number in range(20)]
    built = await library.build_context("And then?", max_tokens=600, conversation=turns)
    kept = [message.content for message in built.messages if message.content.startswith("Turn ")]
    assert 0 < len(kept) < 20
    assert kept == [turn.text for turn in turns[-len(kept) :]]
    dropped = [item for item in built.dropped if item.source == "conversation"]
    assert [item.passage_id for item in dropped] == [f"conversation/{number}" for number in range(20 - len(kept))]
    assert {item.reason for item in dropped} == {pb.DroppedPassage.REASON_CONVERSATION_SHARE}
    assert_fits(built, 600)


async def test_inline_passages_compete_and_resolve_to_the_text_given(library: Client) -> None:
    given_texts = [
        "The stork of Żywkowo eats 500 grams a day. It was counted in 2023.",
        "Nothing of this is about birds.",
    ]
    built = await library.build_context(
        "How many grams does the stork of Żywkowo eat?",
        max_tokens=2000,
        passages=[given_texts[0], pb.InlinePassage(passage_id="second", title="Other", text=given_texts[1])],
    )
    inline = {item.passage_id: item for item in built.evidence if item.source == "inline"}
    stork = inline["inline/0"]
    assert "500 grams" in stork.text
    for item in inline.values():
        text = given_texts[0 if item.passage_id == "inline/0" else 1]
        assert_only_marks_between(item.text, [text[span.start : span.end] for span in item.spans])
        assert item.document_id == ""
    assert set(inline) | {item.passage_id for item in built.dropped} >= {"inline/0", "second"}


async def test_inline_passages_need_no_corpus(client: Client) -> None:
    built = await client.build_context("What does the stork eat?", max_tokens=300, passages=["The stork eats frogs."])
    assert [(item.passage_id, item.text) for item in built.evidence] == [("inline/0", "The stork eats frogs.")]
    assert not built.degradations


@pytest.mark.parametrize("max_tokens", [150, 400, 2000])
async def test_a_plan_is_what_build_does(client: Client, max_tokens: int) -> None:
    await ingested(client, DOCUMENTS)
    question = "What do bicycles cost on the ferry to Bornholm?"
    planned = await client.plan_context(question, max_tokens=max_tokens)
    assert planned.cache_forecast == MISS
    again = await client.plan_context(question, max_tokens=max_tokens)
    assert again.cache_forecast == MISS, "a plan stores nothing"
    built = await client.build_context(question, max_tokens=max_tokens)
    assert built.cache == MISS
    for item in built.evidence:
        item.ClearField("text")
    assert list(planned.evidence) == list(built.evidence)
    assert list(planned.dropped) == list(built.dropped)
    assert planned.tokens == built.tokens
    for reply in (planned, built):
        reply.compression.ClearField("duration")
    assert planned.compression == built.compression
    assert planned.retention == built.retention
    assert (planned.model, planned.encoding, planned.profile, planned.corpus_version) == (
        built.model,
        built.encoding,
        built.profile,
        built.corpus_version,
    )

    async def forecasts_a_hit() -> bool:
        return (await client.plan_context(question, max_tokens=max_tokens)).cache_forecast == HIT

    if built.evidence:
        await eventually("the plan forecasts a hit", forecasts_a_hit)
    else:
        assert built.cache_report.not_stored == cache_pb2.CacheReport.NOT_STORED_THIN


async def test_the_same_request_comes_from_the_cache_until_a_write(client: Client) -> None:
    question = "How many grams of fish does a heron eat a day?"
    await ingested(client, DOCUMENTS)
    first = await client.build_context(question, max_tokens=800, request_id="first")
    assert first.cache == MISS

    async def hits() -> bool:
        return (await client.build_context(question, max_tokens=800)).cache == HIT

    await eventually("the second request is a hit", hits)
    cached = await client.build_context(question, max_tokens=800, request_id="later")
    assert (cached.cache, cached.request_id) == (HIT, "later")
    assert list(cached.messages) == list(first.messages)
    assert list(cached.evidence) == list(first.evidence)
    assert cached.tokens == first.tokens
    spaced = f"  {question.replace(' ', '  ')}\n"
    reworded = await client.build_context(spaced, max_tokens=800)
    assert (reworded.cache, reworded.messages[-1].content) == (HIT, spaced)
    assert_fits(reworded, 800)

    for other in ({"max_tokens": 801}, {"model": "gpt-4"}, {"sources": ["docs"]}, {"filters": {"team": "birds"}}):
        built = await client.build_context(question, **{"max_tokens": 800, **other})  # type: ignore[arg-type]  # options
        assert built.cache == MISS, other
    assert (await client.build_context(question.lower(), max_tokens=800)).cache == MISS

    await ingested(client, [document("more.md", "A heron in the zoo eats 612 grams of fish a day.")])
    after = await client.build_context(question, max_tokens=800)
    assert after.cache == MISS
    assert "612 grams" in evidence_text(after)
    assert after.corpus_version > first.corpus_version

    await eventually("it is cached again", hits)
    await client.delete_documents(["more.md"])
    deleted = await client.build_context(question, max_tokens=800)
    assert deleted.cache == MISS
    assert "612 grams" not in evidence_text(deleted)

    await eventually("it is cached again", hits)
    await ingested(client, DOCUMENTS)
    assert (await client.build_context(question, max_tokens=800)).cache == HIT, "nothing was written"


async def test_the_reply_says_how_passages_were_compressed_and_that_no_pin_was_maimed(library: Client) -> None:
    built = await library.build_context("How many grams of fish does a heron eat a day?", max_tokens=250)
    decision = built.compression
    assert decision.reason == compression_pb2.CompressionDecision.REASON_OVER_BUDGET
    assert decision.token_count <= decision.max_tokens < decision.original_token_count
    assert 0 < decision.cost_usd < decision.original_cost_usd
    assert built.retention.pins
    assert not any(pin.breached for pin in built.retention.pins)
    assert sum(pin.kept for pin in built.retention.pins) == sum(item.kept_pins for item in built.evidence)


BIRDS = json.dumps(
    [{"name": f"bird {n}", "grams": n, "food": {"fish": n % 2 == 0, "eels": [n, n + 1]}} for n in range(60)], indent=2
)
AREAS = "import math\n\n\n" + "\n\n\n".join(
    f'def area_{n}(radius: float) -> float:\n    """The area of {n} circles."""\n'
    f"    if radius < 0:\n        raise ValueError(radius)\n    return {n} * math.pi * radius**2"
    for n in range(30)
)


@pytest.mark.parametrize("words_only", [False, True], ids=["meaning", "words"])
@pytest.mark.parametrize("ratio", [0.15, 0.4, 0.8, 1.0])
@pytest.mark.parametrize(
    ("name", "question", "text"),
    [
        pytest.param("herons.md", "What does the heron eat?", MARKDOWN, id="Markdown"),
        pytest.param("areas.py", "What is the area of 7 circles?", AREAS, id="Python"),
        pytest.param("birds.json", "How many grams has bird 7?", BIRDS, id="JSON"),
    ],
)
async def test_a_text_is_shortened_to_its_share_and_stays_what_it_is(
    library: Client, name: str, question: str, text: str, ratio: float, words_only: bool
) -> None:
    compressed = await library.compress_text(question, text, ratio=ratio, name=name, words_only=words_only)
    encoding = encoding_for(compressed.encoding)
    counted = encoding.count(compressed.text)
    assert counted == compressed.decision.token_count <= int(ratio * encoding.count(text))
    assert not compressed.degradations
    assert not any(pin.breached for pin in compressed.retention.pins)
    spans = [(span.start, span.end) for span in compressed.spans]
    assert spans == sorted(spans)
    position = 0
    for start, end in spans:
        position = compressed.text.index(text[start:end], position) + (end - start)
    if ratio == 1.0:
        assert compressed.text == text
    if name == "areas.py":
        ast.parse(compressed.text)
    elif name == "birds.json" and compressed.text:
        json.loads(compressed.text)
    elif ratio > 0.15:
        assert "300 grams of fish" in compressed.text


async def test_a_pattern_that_is_none_is_refused_by_field(library: Client) -> None:
    with pytest.raises(ScicError) as caught:
        await library.compress_text("Why?", MARKDOWN, ratio=0.5, pin_patterns=["good", "("])
    assert caught.value.reason == "INVALID_FIELD"
    assert [violation.field for violation in caught.value.field_violations] == ["pin_patterns[1]"]
