"""Questions about a corpus, all different, so that no cache answers one."""

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle

from benchmarks.corpus import CorpusError, CutDocument
from services.text.sentences import split_sentences

_SEED = 2
_WORD = re.compile(r"[A-Za-z][A-Za-z'-]*[.,;:]?")
_PROSE = 0.8
"""Share of a sentence's words that are words: the rest of it may be code."""
_WORDS = range(5, 31)
"""Words of a sentence that can become a question."""
_ASKED_WORDS = 14
_FORMS = ("What is said about this: {}?", "When is it true that {}?", "Where is it written: {}?", "{title}: {}?")


class Questions:
    """A supply of questions; each is handed out once."""

    def __init__(self, questions: Sequence[str]) -> None:
        self._questions = questions
        self._next = 0

    def ahead(self, count: int) -> Sequence[str]:
        """The next questions, without taking them. Raises CorpusError where they have run out."""
        if self._next + count > len(self._questions):
            raise CorpusError(f"All {len(self._questions)} questions are used up: take a larger corpus.")
        return self._questions[self._next : self._next + count]

    def take(self, count: int) -> Sequence[str]:
        """The next questions, never to be given again."""
        taken = self.ahead(count)
        self._next += count
        return taken

    @property
    def left(self) -> int:
        """How many are left."""
        return len(self._questions) - self._next


def questions_about(corpus: Iterable[CutDocument]) -> Questions:
    """Every sentence of the corpus that can be asked about, as a question, in mixed order."""
    distinct = list(dict.fromkeys(_ask(corpus)))
    random.Random(_SEED).shuffle(distinct)
    return Questions(distinct)


def prose_sentences(corpus: Iterable[CutDocument]) -> list[str]:
    """Every different sentence of the corpus that is prose, in mixed order."""
    distinct = list(dict.fromkeys(" ".join(words) for words, _ in _prose(corpus)))
    random.Random(_SEED).shuffle(distinct)
    return distinct


def _ask(corpus: Iterable[CutDocument]) -> Iterator[str]:
    forms = cycle(_FORMS)
    for words, title in _prose(corpus):
        asked = " ".join(words[:_ASKED_WORDS]).rstrip(".:;,?!")
        yield next(forms).format(asked, title=title)


def _prose(corpus: Iterable[CutDocument]) -> Iterator[tuple[list[str], str]]:
    """Words and title of every sentence that can be asked about."""
    for cut in corpus:
        for passage in cut.passages:
            for start, end in split_sentences(passage.text):
                words = passage.text[start:end].split()
                if len(words) in _WORDS and _is_prose(words):
                    yield words, passage.title_path[-1]


def _is_prose(words: Sequence[str]) -> bool:
    """Words rather than code; nothing that a load client could take for a template."""
    return sum(bool(_WORD.fullmatch(word)) for word in words) >= _PROSE * len(words) and "{{" not in "".join(words)
