import json
import re

import pytest

from services.gateway.chunking import Chunk, ChunkingError, ChunkingReason, SourceDocument, chunk
from services.gateway.chunking.bounds import PASSAGE


def cut(text: str) -> list[Chunk]:
    return chunk(SourceDocument("chat.jsonl", "", "application/x-ndjson", text.encode()))


def turn(speaker: str, text: str) -> str:
    return json.dumps({"speaker": speaker, "text": text}) + "\n"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        pytest.param('{"speaker":"Ann","text":"Hello."}', "Ann: Hello.", id="speaker and text"),
        pytest.param('{"role":"user","content":"Hello."}', "user: Hello.", id="role and content"),
        pytest.param('{"speaker":"Ann","text":"Hi.","time":"10:02"}', "Ann (10:02): Hi.", id="time as a string"),
        pytest.param(
            '{"speaker":"Ann","text":"Hi.","time":1700000000}', "Ann (1700000000): Hi.", id="time as a number"
        ),
        pytest.param('{"speaker":"Ann","text":"Hi.","time":null}', "Ann: Hi.", id="no time"),
        pytest.param('  {"speaker":" Ann ","text":" a\\nb "} \r', "Ann: a\nb", id="white space"),
        pytest.param('\ufeff{"speaker":"Ann","text":"\\u00e9\\ud800\\u0000"}', "Ann: é\ufffd\ufffd", id="escapes"),
    ],
)
def test_a_turn_is_shown_with_its_speaker(line: str, text: str) -> None:
    assert [piece.text for piece in cut(line)] == [text]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        pytest.param("{", "is not JSON", id="no JSON"),
        pytest.param("[" * 100_000, "is not JSON", id="too deep"),
        pytest.param("1" * 5_000, "is not JSON", id="endless number"),
        pytest.param('["Ann", "Hello"]', "is not a JSON object", id="a list"),
        pytest.param('{"text":"a"}', "names no speaker", id="no speaker"),
        pytest.param('{"speaker":" ","text":"a"}', "names no speaker", id="empty speaker"),
        pytest.param('{"speaker":7,"text":"a"}', "names no speaker", id="speaker is a number"),
        pytest.param('{"speaker":"Ann"}', "has no text", id="no text"),
        pytest.param('{"role":"user","content":[{"type":"image"}]}', "has no text", id="text in parts"),
        pytest.param('{"speaker":"Ann","text":"a","time":{}}', "has a `time`", id="time is an object"),
        pytest.param('{"speaker":"Ann","text":"a","time":true}', "has a `time`", id="time is a truth value"),
    ],
)
def test_a_bad_line_is_named(line: str, what: str) -> None:
    with pytest.raises(ChunkingError, match=rf"^Line 3 {what}") as caught:
        cut(f"{turn('Ann', 'a')}\n{line}\n{turn('Ann', 'b')}")
    assert (caught.value.reason, caught.value.metadata) == (ChunkingReason.MALFORMED_CONVERSATION, {"line": "3"})


def test_short_turns_share_a_passage_with_the_offsets_of_their_lines() -> None:
    text = f"\n{turn('Ann', 'Hello.')}\n{turn('Bob', 'Hi.')}\n"
    (piece,) = cut(text)
    assert piece == Chunk(("chat.jsonl",), "Ann: Hello.\nBob: Hi.", 1, len(text) - 2)


@pytest.mark.parametrize("after", ["", " I thought it hung."], ids=["at the end", "inside"])
@pytest.mark.parametrize("length", range(20, 400, 20))
def test_a_question_stays_with_its_answer(length: int, after: str) -> None:
    pair = turn("Ann", f"{'word ' * (length // 5)}why?{after}") + turn("Bob", f"Because {'word ' * (length // 5)}.")
    pieces = cut(pair * 30)
    assert len(pieces) > 1 or length < 40
    assert all(piece.text.startswith("Ann") and piece.text.endswith(".") for piece in pieces)


def test_a_turn_is_not_cut_where_it_fits() -> None:
    text = "".join(turn("Ann", f"{'word ' * 190}{index}.") for index in range(5))
    assert [piece.text.count("Ann:") for piece in cut(text)] == [1] * 5


def test_a_long_turn_is_cut_between_sentences_and_each_part_has_its_speaker() -> None:
    text = turn("Bob", "Go on.") + turn("Ann", "This is a sentence of a long turn. " * 100)
    _, *pieces = cut(text)
    assert len(pieces) > 2
    assert all(piece.text.startswith("Ann: This") and piece.text.endswith("turn.") for piece in pieces)
    assert {(piece.start, piece.end) for piece in pieces} == {(text.index("\n") + 1, len(text) - 1)}


@pytest.mark.parametrize("length", [5, 200, 1_100, 5_000])
def test_every_passage_says_who_spoke_and_when(length: int) -> None:
    lines = [
        json.dumps({"speaker": "Ann", "time": f"10:{minute}", "text": f"{'word ' * (length // 5)}\n\nEnd."})
        for minute in range(10, 40)
    ]
    pieces = cut("\n".join(lines))
    assert all(re.match(r"Ann \(10:\d\d\): word", piece.text) for piece in pieces)
    assert {time for piece in pieces for time in re.findall(r"10:\d\d", piece.text)} == {
        f"10:{minute}" for minute in range(10, 40)
    }


def test_no_passage_exceeds_the_bound_whatever_the_speaker_is_called() -> None:
    line = json.dumps({"speaker": "A" * 5_000, "time": "1" * 5_000, "text": "x" * 10_000})
    assert max(len(piece.text) for piece in cut(line)) <= PASSAGE.maximum
