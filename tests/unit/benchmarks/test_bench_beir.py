"""Test collections: what is read, and how rankings are judged."""

import gzip
import json
import math
from pathlib import Path

import pytest

from benchmarks.beir import CollectionError, Text, find_collections, judge, read_collection


def write_collection(
    folder: Path, *, qrels: str = "q1\td1\t1\n", packed: bool = False, where: str = "qrels.tsv"
) -> Path:
    """A collection of two documents and a question."""
    (folder / where).parent.mkdir(parents=True)
    (folder / where).write_text(qrels)
    for name, records in {
        "corpus": [
            {"_id": "d1", "title": "Herons", "text": "They eat fish."},
            {"id": "d2", "text": "Nobody eats them."},
        ],
        "queries": [{"_id": "q1", "text": "Who eats fish?"}],
    }.items():
        text = "".join(json.dumps(record) + "\n" for record in records).encode()
        path = folder / f"{name}.jsonl"
        if packed:
            path.with_suffix(".jsonl.gz").write_bytes(gzip.compress(text))
        else:
            path.write_bytes(text)
    return folder


@pytest.mark.parametrize("packed", [pytest.param(False, id="plain"), pytest.param(True, id="packed")])
def test_a_collection_is_read(tmp_path: Path, packed: bool) -> None:
    collection = read_collection(write_collection(tmp_path / "birds", packed=packed))
    assert collection.name == "birds"
    assert collection.documents == [Text("d1", "Herons", "They eat fish."), Text("d2", "", "Nobody eats them.")]
    assert collection.queries == [Text("q1", "", "Who eats fish?")]
    assert collection.judgements == {"q1": {"d1": 1}}


def test_judgements_as_beir_and_as_trec_write_them(tmp_path: Path) -> None:
    beir = write_collection(
        tmp_path / "beir", qrels="query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t0\n", where="qrels/test.tsv"
    )
    trec = write_collection(tmp_path / "trec", qrels="q1\t0\td1\t2\nq1\t0\td2\t-1\n")
    assert read_collection(beir).judgements == read_collection(trec).judgements == {"q1": {"d1": 2}}


def test_collections_are_found_below_a_folder(tmp_path: Path) -> None:
    inside = [write_collection(tmp_path / "all" / name) for name in ("a", "b")]
    alone = write_collection(tmp_path / "c")
    assert find_collections([tmp_path / "all", alone]) == [*inside, alone]


def test_a_folder_without_a_collection_is_named(tmp_path: Path) -> None:
    with pytest.raises(CollectionError, match=r"holds no collection: a folder with corpus\.jsonl"):
        find_collections([tmp_path])


@pytest.mark.parametrize("qrels", [pytest.param("", id="empty"), pytest.param("q1\td1\tbad\n", id="no number")])
def test_a_collection_without_judgements_is_refused(tmp_path: Path, qrels: str) -> None:
    with pytest.raises(CollectionError, match="cannot be read as a collection"):
        read_collection(write_collection(tmp_path / "a", qrels=qrels))


@pytest.mark.parametrize(
    ("ranked", "ndcg_10", "recall_10", "recall_100"),
    [
        pytest.param(["a", "b"], 1, 1, 1, id="the best first"),
        pytest.param(["b", "a"], (1 + 2 / math.log2(3)) / (2 + 1 / math.log2(3)), 1, 1, id="the second best first"),
        pytest.param(["a"], 2 / (2 + 1 / math.log2(3)), 0.5, 0.5, id="one is missing"),
        pytest.param([f"x{n}" for n in range(10)] + ["a", "b"], 0, 0, 1, id="behind the tenth"),
        pytest.param([f"x{n}" for n in range(99)] + ["b", "a"], 0, 0, 0.5, id="behind the hundredth"),
        pytest.param([], 0, 0, 0, id="nothing found"),
    ],
)
def test_judgement(ranked: list[str], ndcg_10: float, recall_10: float, recall_100: float) -> None:
    quality = judge({"q": ranked}, {"q": {"a": 2, "b": 1}})
    assert (quality.ndcg_10, quality.recall_10, quality.recall_100) == pytest.approx(
        (100 * ndcg_10, 100 * recall_10, 100 * recall_100)
    )


def test_a_question_without_a_ranking_counts_0_and_one_without_judgements_not_at_all() -> None:
    assert judge({"q1": ["a"], "q3": ["a"]}, {"q1": {"a": 1}, "q2": {"a": 1}}).ndcg_10 == 50
