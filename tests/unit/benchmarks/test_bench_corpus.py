"""What is ingested, and what is asked."""

import gzip
import json
from itertools import islice
from pathlib import Path

import pytest

from benchmarks.corpus import CorpusError, cut, jsonl_documents, library_documents
from benchmarks.questions import Questions, questions_about


def write_lines(path: Path, *records: object) -> Path:
    text = "".join(json.dumps(record) + "\n" for record in records)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", ["corpus.jsonl", "corpus.jsonl.gz"])
def test_a_file_of_lines_becomes_documents(tmp_path: Path, name: str) -> None:
    path = write_lines(
        tmp_path / name,
        {"_id": "7", "title": "Sloths", "text": "They sleep a lot."},
        {"id": "8", "text": "No title."},
        {"_id": "9", "title": "Empty", "text": " "},
    )
    documents = list(jsonl_documents(path))
    assert [(d.document_id, d.title, d.content) for d in documents] == [
        ("7", "Sloths", b"They sleep a lot."),
        ("8", "", b"No title."),
    ]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(None, id="no file"),
        pytest.param(b"{", id="no JSON"),
        pytest.param(b'{"_id": "1"}', id="no text"),
        pytest.param(b"[1]", id="no object"),
        pytest.param(b"\xff\xfe", id="no UTF-8"),
    ],
)
def test_a_file_that_is_none_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "corpus.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CorpusError, match=r"corpus\.jsonl"):
        list(jsonl_documents(path))


def test_the_library_gives_the_same_code_and_prose_every_time() -> None:
    first, second = (list(islice(library_documents(), 12)) for _ in range(2))
    assert first == second
    assert {document.content_type for document in first} == {"text/markdown", "text/x-python"}


def test_documents_are_taken_until_the_passages_suffice() -> None:
    corpus = cut(library_documents(), passages=40)
    counts = [len(document.passages) for document in corpus]
    assert sum(counts) >= 40 > sum(counts[:-1])


def test_too_small_a_corpus_is_an_error(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "corpus.jsonl", {"_id": "1", "text": "Short."})
    with pytest.raises(CorpusError, match="1 passages, 2 are needed"):
        cut(jsonl_documents(path), passages=2)


def test_questions_are_distinct_and_hold_no_template() -> None:
    questions = questions_about(cut(library_documents(), passages=200))
    asked = questions.take(questions.left)
    assert len(asked) > 200
    assert len(set(asked)) == len(asked)
    assert not any("{{" in question for question in asked)


def test_a_question_is_handed_out_once() -> None:
    questions = Questions(["a", "b", "c"])
    assert questions.ahead(2) == ["a", "b"]
    assert questions.take(2) == ["a", "b"]
    assert questions.take(1) == ["c"]
    with pytest.raises(CorpusError, match="used up"):
        questions.take(1)
