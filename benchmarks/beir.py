"""Test collections in the form of BEIR: documents, questions, and which document answers which question how well.

Thakur et al., "BEIR: A Heterogeneous Benchmark for Zero-shot Evaluation of Information Retrieval Models", 2021.
"""

import csv
import gzip
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_CORPUS = ("corpus.jsonl", "corpus.jsonl.gz")
_QUERIES = ("queries.jsonl", "queries.jsonl.gz")
_QRELS = ("qrels.tsv", "qrels/test.tsv")
NEEDED = "a folder with corpus.jsonl, queries.jsonl (.gz too) and qrels.tsv is needed, or a folder of such folders"


class CollectionError(Exception):
    """A folder is not what is needed; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Text:
    """A document or a question."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Collection:
    """A test collection."""

    name: str
    documents: Sequence[Text]
    queries: Sequence[Text]
    judgements: Mapping[str, Mapping[str, int]]
    """By question the documents that answer it, with a gain above 0 for each. Only these questions count."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Means over all questions that have judgements, in per cent."""

    ndcg_10: float
    recall_10: float
    recall_100: float


def find_collections(folders: Sequence[Path]) -> list[Path]:
    """Those of the folders that are collections, and the collections right below the others. Raises CollectionError."""
    found = []
    for folder in folders:
        inside = sorted(path for path in folder.iterdir() if _is_collection(path)) if folder.is_dir() else []
        if _is_collection(folder):
            found.append(folder)
        elif inside:
            found += inside
        else:
            raise CollectionError(f"{folder} holds no collection: {NEEDED}.")
    return found


def read_collection(folder: Path) -> Collection:
    """Read a collection. Raises CollectionError."""
    try:
        return Collection(
            name=folder.resolve().name,
            documents=list(_texts(_file(folder, _CORPUS))),
            queries=list(_texts(_file(folder, _QUERIES))),
            judgements=_judgements(_file(folder, _QRELS)),
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise CollectionError(f"{folder} cannot be read as a collection: {error!r}.") from error


def judge(rankings: Mapping[str, Sequence[str]], judgements: Mapping[str, Mapping[str, int]]) -> Quality:
    """Score ranked document ids by question; a question without a ranking counts 0. The gain of nDCG is linear."""
    ndcg = recall_10 = recall_100 = 0.0
    for query, wanted in judgements.items():
        ranked = rankings.get(query, ())
        best = sorted(wanted.values(), reverse=True)
        ndcg += _gain([wanted.get(document, 0) for document in ranked]) / _gain(best)
        recall_10 += len(wanted.keys() & set(ranked[:10])) / len(wanted)
        recall_100 += len(wanted.keys() & set(ranked[:100])) / len(wanted)
    count = len(judgements) / 100
    return Quality(ndcg / count, recall_10 / count, recall_100 / count)


def _gain(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(place + 2) for place, gain in enumerate(gains[:10]))


def _is_collection(folder: Path) -> bool:
    return all(any((folder / name).is_file() for name in names) for names in (_CORPUS, _QUERIES, _QRELS))


def _file(folder: Path, names: Sequence[str]) -> Path:
    return next(folder / name for name in names if (folder / name).is_file())


def _texts(path: Path) -> Iterator[Text]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            yield Text(str(record.get("_id") or record["id"]), record.get("title") or "", record["text"])


def _judgements(path: Path) -> dict[str, dict[str, int]]:
    """Rows of question, (iteration,) document and gain; a heading is passed over, as are gains of 0."""
    found: dict[str, dict[str, int]] = {}
    with path.open(encoding="utf-8", newline="") as rows:
        for row in csv.reader(rows, delimiter="\t"):
            if row[-1].isdigit() and int(row[-1]) > 0:
                found.setdefault(row[0], {})[row[-2]] = int(row[-1])
    if not found:
        raise ValueError(f"{path.name} has no judgement")
    return found
