"""What counts as kept."""

import gzip
import json

import pytest

from benchmarks.compress import DATA_VARIABLE, data_files, set_name
from benchmarks.qa import Judge, read_records

TEXT = "Ada Byrne kept the light. It was lit in 1874, and never burned oil. The tower is red."
PARK = "A park lies behind the tower. It was laid out in 1901."


def record(tmp_path, *, answers=("1874",), documents=({},), **fields):
    rows = [{"title": "Tower", "text": TEXT, **documents[0]}, {"title": "Park", "text": PARK, **dict(*documents[1:])}]
    path = tmp_path / "set-dev.jsonl.gz"
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write(json.dumps({"id": "1", "question": "When?", "answers": answers, "docs": rows, **fields}) + "\n")
    (read,) = read_records(path)
    return read


def spans(*parts):
    return [tuple((TEXT.index(part), TEXT.index(part) + len(part)) for part in parts), ()]


@pytest.mark.parametrize(
    ("answers", "kept", "answer"),
    [
        pytest.param(["1874"], spans("It was lit in 1874, and never burned oil."), True, id="kept"),
        pytest.param(["1874"], spans("The tower is red."), False, id="lost"),
        pytest.param(["1874"], [(), ()], False, id="nothing-kept"),
        pytest.param(["The Light!"], spans("Ada Byrne kept the light."), True, id="case-article-punctuation"),
        pytest.param(["187"], spans("It was lit in 1874, and never burned oil."), None, id="half-a-word-is-no-answer"),
        pytest.param(["yes"], spans("The tower is red."), None, id="yes-or-no-is-not-judged"),
        pytest.param(["Galway"], spans("The tower is red."), None, id="not-in-the-whole"),
        pytest.param(["tower"], spans("Ada Byrne kept the light."), True, id="a-kept-title-counts"),
    ],
)
def test_an_answer_is_kept(tmp_path, answers, kept, answer):
    assert Judge(record(tmp_path, answers=answers)).verdict(kept)[0] is answer


BOTH = [((0, len(TEXT)),), ((0, len(PARK)),)]
HOPS = [{"doc": 0, "answer": "1874"}, {"doc": 1, "answer": "1901"}]
SUPPORT = [{"sents": ["Ada Byrne kept the light.", "It was lit in 1874, and never burned oil."], "sup": [1]}]


@pytest.mark.parametrize(
    ("fields", "kept", "evidence"),
    [
        pytest.param({"hops": HOPS}, BOTH, True, id="every-hop"),
        pytest.param({"hops": HOPS}, [BOTH[0], ()], False, id="one-hop-of-two"),
        pytest.param({"documents": SUPPORT}, BOTH, True, id="the-sentence"),
        pytest.param({"documents": SUPPORT}, spans("It was lit in 1874"), False, id="a-part-of-the-sentence"),
        pytest.param({"documents": [{"gold": True}]}, spans("It was lit in 1874, and never burned"), True, id="words"),
        pytest.param({"documents": [{"gold": True}]}, spans("in 1874"), False, id="the-answer-without-words-around"),
        pytest.param({}, BOTH, None, id="no-evidence-named"),
    ],
)
def test_all_evidence_is_kept(tmp_path, fields, kept, evidence):
    assert Judge(record(tmp_path, **fields)).verdict(kept)[1] is evidence


def test_data_is_named_or_in_the_environment(tmp_path, monkeypatch):
    for name in ("b-dev.jsonl.gz", "a.jsonl", "notes.txt"):
        (tmp_path / name).touch()
    files = [tmp_path / "a.jsonl", tmp_path / "b-dev.jsonl.gz"]
    monkeypatch.setenv(DATA_VARIABLE, "elsewhere.jsonl")
    assert data_files([tmp_path]) == files
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    assert data_files([]) == files
    assert [set_name(file) for file in files] == ["a", "b"]


def test_without_data_a_sentence_says_where_to_get_it(monkeypatch):
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    with pytest.raises(SystemExit, match="NaturalQuestions"):
        data_files([])
