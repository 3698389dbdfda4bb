"""Sentence vectors by all-MiniLM-L6-v2 on the CPU (Reimers and Gurevych, 2019): mean of the last hidden states."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from services.chassis.work import checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

Vectors = NDArray[np.float32]

WINDOW = 256
"""Tokens of one pass, [CLS] and [SEP] included: what sentence-transformers sets for this model."""
TITLE_TOKENS = 48
"""A longer title is cut: it would crowd out the text it stands in front of."""
READING = "mean256"
"""How texts are read and pooled, for `Encoder.model_id`: a change here changes vectors as a new model does."""
_CLS, _SEP = 101, 102


@dataclass(frozen=True, slots=True)
class EncodeInput:
    """A passage and its sentences."""

    title: str
    """Read before the text; may be empty."""
    text: str
    sentences: Sequence[tuple[int, int]]
    """Code point spans in `text`, in order and disjoint, as `split_sentences` gives them."""


@dataclass(frozen=True, slots=True)
class PassageVectors:
    """The vectors of a passage, all L2 normalised."""

    passage: Vectors
    """Shape (384,)."""
    sentences: Vectors
    """Shape (sentences, 384); each sentence was read in its passage."""


class Encoder:
    """Texts to vectors. Safe to share between threads.

    Each text is a run of its own. In a batch, int8 activations share one scale and short texts are padded: the same
    text would get another vector in other company (cosine .99), and a thread does fewer passages a second.
    """

    dimension = 384

    def __init__(self, session: onnxruntime.InferenceSession, tokenizer: Tokenizer, model_id: str) -> None:
        self.model_id = model_id
        """Changes when vectors would."""
        self._session = session
        self._tokenizer = tokenizer

    @classmethod
    def load(cls, model_path: Path, *, threads: int = 1) -> Encoder:
        """Open the model that `model_file` built; `threads` is the number of cores one call uses."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Spinning threads take the core that the service's loop needs.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Lengths differ from run to run: memory plans by shape would only pile up.
        options.enable_mem_pattern = False
        session = onnxruntime.InferenceSession(
            model_path,
            options,
            providers=["CPUExecutionProvider"],
            # The fused operator is not vectorised on CPUs: 3.3 of 19 ms a passage, instead of 1.7.
            disabled_optimizers=["SkipLayerNormFusion"],
        )
        data = resources.files("services.text") / "data" / "all-MiniLM-L6-v2.tokenizer.json"
        tokenizer = Tokenizer.from_str(data.read_text("utf-8"))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return cls(session, tokenizer, f"{model_path.stem}-{READING}")

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Vectors of shape (texts, 384), L2 normalised; what stands after 254 tokens of a text is not read."""
        vectors = np.empty((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            checkpoint()
            ids = self._tokenizer.encode(text, add_special_tokens=False).ids
            vectors[row] = self._run([_CLS, *ids[: WINDOW - 2], _SEP]).sum(axis=0)
        return _unit(vectors)

    def encode_passages(self, passages: Sequence[EncodeInput]) -> list[PassageVectors]:
        """Vectors of passages and of their sentences, by one pass over "Title: text".

        A text longer than the window is read in several passes, its title before each.
        """
        return [self._encode_passage(passage) for passage in passages]

    def _encode_passage(self, passage: EncodeInput) -> PassageVectors:
        title = self._tokenizer.encode(f"{passage.title}:" if passage.title else "", add_special_tokens=False)
        head = [_CLS, *title.ids[:TITLE_TOKENS]]
        body = self._tokenizer.encode(passage.text, add_special_tokens=False)
        ids, owners = body.ids, _owners(body.offsets, passage.sentences)
        total = np.zeros((1, self.dimension), np.float32)
        sums = np.zeros((len(passage.sentences), self.dimension), np.float32)
        for begin, end in _windows(owners, WINDOW - len(head) - 1):
            checkpoint()
            hidden = self._run([*head, *ids[begin:end], _SEP])
            total += hidden.sum(axis=0)
            # Tokens of one sentence stand together: each run of one owner is summed at once.
            owned = owners[begin:end]
            starts = np.flatnonzero(np.diff(owned, prepend=-2))
            if len(starts):
                spoken = owned[starts] >= 0
                runs = np.add.reduceat(hidden[len(head) : -1], starts, axis=0)
                sums[owned[starts][spoken]] += runs[spoken]
        # A sentence without a token (control characters only) stands for its passage.
        sums[~sums.any(axis=1)] = total
        return PassageVectors(_unit(total)[0], _unit(sums))

    def _run(self, ids: list[int]) -> Vectors:
        """Hidden states, shape (ids, 384)."""
        row = np.array([ids], np.int64)
        feed = {"input_ids": row, "attention_mask": np.ones_like(row), "token_type_ids": np.zeros_like(row)}
        return cast("Vectors", self._session.run(None, feed)[0][0])


def _owners(offsets: Sequence[tuple[int, int]], sentences: Sequence[tuple[int, int]]) -> NDArray[np.intp]:
    """For each token the sentence it starts in, or -1."""
    starts = np.fromiter((start for start, _ in offsets), np.intp, len(offsets))
    if not sentences:
        return np.full_like(starts, -1)
    spans = np.array(sentences, np.intp)
    owners = np.searchsorted(spans[:, 0], starts, side="right") - 1
    owners[(owners >= 0) & (starts >= spans[owners, 1])] = -1
    return owners


def _windows(owners: NDArray[np.intp], room: int) -> Iterator[tuple[int, int]]:
    """Token ranges of at most `room`, cut between sentences, and inside one only when it is longer than that."""
    begin, count = 0, len(owners)
    while count - begin > room:
        boundaries = np.flatnonzero(np.diff(owners[begin : begin + room + 1]))
        end = begin + (int(boundaries[-1]) + 1 if len(boundaries) else room)
        yield begin, end
        begin = end
    yield begin, count


def _unit(vectors: Vectors) -> Vectors:
    """Rows divided by their length, which is never zero: hidden states are layer-normalised."""
    return cast("Vectors", vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
