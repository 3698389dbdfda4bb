"""Documents to ingest: real text that every machine has, or a file of one's own; cut by the gateway's own chunker."""

import ast
import gzip
import json
import random
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from scic.gateway.v1.corpus_service_pb2 import DocumentInput
from services.gateway.chunking import Chunk, Kind, SourceDocument, chunk, format_of

_SEED = 1
_LEFT_OUT = {"test", "tests", "site-packages", "encodings"}
"""Folders of the standard library that hold broken code on purpose, other people's code, or only tables."""
_CODE_EVERY = 4
"""Docstrings make a quarter of the passages that code makes: with every fourth module's code both are half."""


class CorpusError(Exception):
    """There is not enough text, or none that can be read; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class CutDocument:
    """A document, and the passages that ingestion makes of it."""

    document: DocumentInput
    kind: Kind
    passages: list[Chunk]


def library_documents() -> Iterator[DocumentInput]:
    """The running interpreter's standard library: docstrings as Markdown and modules as code; in mixed order."""
    root = Path(sysconfig.get_path("stdlib"))
    files = [path for path in sorted(root.rglob("*.py")) if not _LEFT_OUT & {*path.relative_to(root).parts}]
    random.Random(_SEED).shuffle(files)
    for index, path in enumerate(files):
        try:
            source = path.read_text(encoding="utf-8")
            tree = ast.parse(source)
        except (UnicodeDecodeError, SyntaxError):
            continue  # not every file is a module of this version
        name = path.relative_to(root).as_posix()
        if index % _CODE_EVERY == 0 and source.strip():
            yield _document(name, name, "text/x-python", source)
        if prose := "\n\n".join(_docstrings(tree)):
            yield _document(f"{name}.md", name.removesuffix(".py").replace("/", "."), "text/markdown", prose)


def jsonl_documents(path: Path) -> Iterator[DocumentInput]:
    """A file of lines `{"_id", "title", "text"}` as BEIR has them; `id` will do, and `.gz` is unpacked.

    Raises CorpusError.
    """
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
            for line in lines:
                record = json.loads(line)
                if record["text"].strip():
                    yield _document(
                        record.get("_id") or record["id"], record.get("title", ""), "text/plain", record["text"]
                    )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorpusError(f'{path} is not a file of lines {{"_id", "title", "text"}}: {error}.') from error


def cut(documents: Iterable[DocumentInput], *, passages: int) -> list[CutDocument]:
    """The first documents that together give that many passages. Raises CorpusError where there are not so many."""
    taken: list[CutDocument] = []
    count = 0
    for document in documents:
        source = SourceDocument(document.document_id, document.title, document.content_type, document.content)
        pieces = chunk(source)
        taken.append(CutDocument(document, format_of(document.content_type).kind, pieces))
        count += len(pieces)
        if count >= passages:
            return taken
    raise CorpusError(f"The corpus has {count} passages, {passages} are needed.")


def _document(document_id: str, title: str, content_type: str, text: str) -> DocumentInput:
    return DocumentInput(document_id=document_id, title=title, content_type=content_type, content=text.encode("utf-8"))


def _docstrings(tree: ast.Module) -> Iterator[str]:
    """The docstrings of a module in its order, each under a heading that names what it describes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text and len(text.split()) > 5:
                yield dedent(text) if isinstance(node, ast.Module) else f"## {node.name}\n\n{dedent(text)}"
