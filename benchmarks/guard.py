"""`python -m benchmarks.guard`: what the guard finds of labelled values, and what it costs."""

import argparse
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from rich.console import Console

from benchmarks.report import RESULTS, Figure, at_least, at_most, show, write
from scic.type.v1 import passage_pb2, span_pb2
from services.gateway.guard.detect import AllDetectors, Detector, default_detectors
from services.gateway.guard.guard import Guard
from services.gateway.guard.policy import Action, GuardPolicy, SensitiveType
from services.gateway.guard.scan import scan_passage
from services.text.tokens import encoding_for

TEXTS = Path(__file__).parent / "data" / "guard.txt"
RUNBOOK = Path(__file__).parent.parent / "docs" / "runbook.md"
"""What documentation looks like: hardly anything to find."""
_TOKENS = 2_000
"""Tokens of a text whose time is measured."""
_PASSAGES = 20
"""Passages that share them in a request."""
_ROUNDS = 30
_ENCODING = "o200k_base"
_SEED = 7
_ALPHABETS = {
    "base62": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
    "base32": "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
    "letters": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    "digits": "123456789",
    "hex": "0123456789abcdef",
}
_RANDOM = re.compile(r"\{(base62|base32|letters|digits|hex):(\d+)\}")
_LABEL = re.compile(r"⟦([A-Z_]+):([^⟧]*)⟧")


@dataclass(frozen=True, slots=True)
class LabelledText:
    """A text and all that is sensitive in it."""

    kind: str
    """What kind of text it is, such as `mail`; `negative` where there is nothing to find."""
    unseen: bool
    """Whether it was written after the detectors were, and nothing was fitted to it."""
    text: str
    values: frozenset[tuple[SensitiveType, str]]


def labelled_texts(path: Path = TEXTS) -> Iterator[LabelledText]:
    """The texts of a file. Secrets stand in it as recipes such as `{base62:36}`, so that nobody takes it for a leak."""
    generator = random.Random(_SEED)

    def invent(recipe: re.Match[str]) -> str:
        return "".join(generator.choices(_ALPHABETS[recipe[1]], k=int(recipe[2])))

    for block in path.read_text(encoding="utf-8").split("=== ")[1:]:
        head, _, body = block.partition("\n")
        body = _RANDOM.sub(invent, body.rstrip("\n").replace("{void}", ""))
        values = frozenset((SensitiveType[label[1]], label[2]) for label in _LABEL.finditer(body))
        yield LabelledText(head.split()[-1], "unseen" in head, _LABEL.sub(r"\2", body), values)


def main() -> int:
    """Measure, print, write. Missed goals are no errors."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guard", description=__doc__)
    parser.add_argument("--output", type=Path, default=RESULTS / "guard.json", help="file for the figures")
    parser.add_argument("--misses", action="store_true", help="also print what was missed and what was none")
    options = parser.parse_args()
    console = Console()
    start = time.perf_counter()
    detectors = default_detectors()
    built = time.perf_counter() - start
    texts = list(labelled_texts())
    if options.misses:
        _print_misses(detectors, texts, console)
    figures = [
        Figure("labelled values", sum(len(text.values) for text in texts), "", at_least(300)),
        Figure("building the detectors", 1e3 * built, "ms"),
        *_quality(detectors, [text for text in texts if not text.unseen], "seen"),
        *_quality(detectors, [text for text in texts if text.unseen], "unseen"),
        *_speed(detectors, texts),
    ]
    write(options.output, figures)
    show("Guard", figures, console)
    return 0


def _quality(detectors: AllDetectors, texts: Sequence[LabelledText], name: str) -> Iterator[Figure]:
    """Precision and recall of each type. A value counts once a text, and must be found as it is, no more, no less."""
    right, found, labelled = Counter[SensitiveType](), Counter[SensitiveType](), Counter[SensitiveType]()
    for text in texts:
        values = {(value.type, value.text) for value in detectors.find(text.text)}
        found.update(kind for kind, _ in values)
        labelled.update(kind for kind, _ in text.values)
        right.update(kind for kind, _ in values & text.values)
    for kind in SensitiveType:
        yield Figure(f"{kind}, {name}: values", labelled[kind], "")
        yield Figure(f"{kind}, {name}: precision", right[kind] / max(found[kind], 1), "")
        yield Figure(f"{kind}, {name}: recall", right[kind] / max(labelled[kind], 1), "")


def _print_misses(detectors: AllDetectors, texts: Sequence[LabelledText], console: Console) -> None:
    for text in texts:
        found = {(value.type, value.text) for value in detectors.find(text.text)}
        for what, values in (("missed", text.values - found), ("is none", found - text.values)):
            for kind, value in sorted(values):
                console.print(f"{text.kind}: {what}: {kind} {value!r}", markup=False, highlight=False)


def _speed(detectors: AllDetectors, texts: Sequence[LabelledText]) -> Iterator[Figure]:
    plain, dense = _long([RUNBOOK.read_text(encoding="utf-8")]), _long([text.text for text in texts])
    for detector in detectors.detectors:
        yield Figure(f"{detector.name}: documentation", _milliseconds(partial(_search, detector, plain)), "ms")
    yield Figure("all: documentation", _milliseconds(partial(detectors.find, plain)), "ms", at_most(5))
    yield Figure("all: labelled texts", _milliseconds(partial(detectors.find, dense)), "ms")
    usual = [
        _scanned(detectors, f"{part} Write to desk{index}@nordwind.org.") for index, part in enumerate(_parts(plain))
    ]
    crowded = [_scanned(detectors, part) for part in _parts(dense)]
    scans = [partial(_scanned, detectors, passage.text) for passage in usual]
    yield Figure("scan of a passage at ingestion", _milliseconds(lambda: [scan() for scan in scans]) / _PASSAGES, "ms")
    guard = Guard(detectors)
    yield Figure("request, one value a passage", _milliseconds(partial(_screen, guard, usual)), "ms", at_most(0.5))
    yield Figure("request, labelled texts", _milliseconds(partial(_screen, guard, crowded)), "ms")


def _screen(guard: Guard, passages: Sequence[passage_pb2.Passage]) -> None:
    """What a request does with passages that ingestion scanned."""
    screen = guard.screen(GuardPolicy(dict.fromkeys(SensitiveType, Action.MASK)))
    for passage in [passage for passage in passages if screen.admit(passage)]:
        screen.mask_kept(passage, [span_pb2.Span(start=0, end=len(passage.text))], passage.text)


def _search(detector: Detector, text: str) -> None:
    for _ in detector.find(text):
        pass


def _long(texts: Sequence[str]) -> str:
    """The texts one behind the other, as often as it takes, cut to about the tokens that are measured."""
    joined = "\n\n".join(texts)
    tokens = encoding_for(_ENCODING).count(joined)
    repeated = joined * (1 + _TOKENS // tokens)
    return repeated[: len(joined) * _TOKENS // tokens]


def _parts(text: str) -> list[str]:
    size = -(-len(text) // _PASSAGES)
    return [text[start : start + size] for start in range(0, len(text), size)]


def _scanned(detectors: AllDetectors, text: str) -> passage_pb2.Passage:
    """A passage as ingestion leaves it."""
    return passage_pb2.Passage(title_path=["Title"], text=text, sensitive=scan_passage(detectors, ["Title"], text, {}))


def _milliseconds(work: Callable[[], object]) -> float:
    """Processor time of one run, in the median of many."""
    taken = []
    for _ in range(_ROUNDS):
        start = time.process_time()
        work()
        taken.append(1e3 * (time.process_time() - start))
    return median(taken)


if __name__ == "__main__":
    sys.exit(main())
