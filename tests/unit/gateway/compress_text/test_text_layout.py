"""What is left of a text, as one text again."""

from collections.abc import Mapping

import pytest

from scic.compressor.v1 import compressor_service_pb2 as compressor
from scic.type.v1 import passage_pb2, score_pb2, source_pb2, span_pb2
from services.gateway.building.candidate import Candidate
from services.gateway.compress_text.layout import lay_out

TEXT = "# A\n\nOne. Two.\n\nThree.\n\n## B\n\nFour.\n\nFive.\n\nSix."
PARTS = {
    "# A\n\nOne. Two.": ("A",),
    "Three.": ("A",),
    "## B\n\nFour.": ("A", "B"),
    "Five.": ("A", "B"),
    "Six.": ("A", "B"),
}
CODE = dict.fromkeys(("x = 1", "y = 2", "z = 3"), ())


def candidates(
    text: str, parts: Mapping[str, tuple[str, ...]], kind: source_pb2.SourceKind.ValueType
) -> list[Candidate]:
    return [
        Candidate(
            passage_pb2.Passage(
                text=part,
                title_path=titles,
                kind=kind,
                span=span_pb2.Span(start=text.index(part), end=text.index(part) + len(part)),
            ),
            score_pb2.Score(),
        )
        for part, titles in parts.items()
    ]


def left(passages: list[Candidate], kept: dict[int, str]) -> list[compressor.CompressedPassage]:
    outcomes = []
    for index, candidate in enumerate(passages):
        part = kept.get(index, "")
        start = candidate.passage.text.index(part) if part else 0
        spans = [span_pb2.Span(start=start, end=start + len(part))] if part else []
        outcomes.append(compressor.CompressedPassage(index=index, spans=spans, text=part))
    return outcomes


@pytest.mark.parametrize(
    ("kept", "shown"),
    [
        pytest.param({}, "", id="nothing"),
        pytest.param({0: "# A\n\nOne. Two.", 1: "Three."}, "# A\n\nOne. Two.\n\nThree.", id="neighbours as they stood"),
        pytest.param({0: "# A\n\nOne.", 1: "Three."}, "# A\n\nOne.\n…\nThree.", id="an end is missing"),
        pytest.param({3: "Five."}, "A > B\nFive.", id="a title where its heading is missing"),
        pytest.param({2: "## B\n\nFour.", 4: "Six."}, "## B\n\nFour.\n…\nSix.", id="none where it stands"),
        pytest.param({3: "Five.", 4: "Six."}, "A > B\nFive.\n\nSix.", id="once a section"),
        pytest.param({1: "Three.", 3: "Five."}, "A\nThree.\n\nA > B\nFive.", id="a new section"),
        pytest.param({1: "Three.", 2: "## B\n\nFour."}, "A\nThree.\n\n## B\n\nFour.", id="a heading in the text"),
    ],
)
def test_prose(kept, shown):
    passages = candidates(TEXT, PARTS, source_pb2.SOURCE_KIND_DOCS)
    assert lay_out(TEXT, passages, left(passages, kept), "…") == shown


@pytest.mark.parametrize(
    ("kept", "shown"),
    [
        pytest.param({0: "x = 1", 1: "y = 2"}, "x = 1\n\n\ny = 2", id="neighbours"),
        pytest.param({0: "x = 1", 2: "z = 3"}, "x = 1\nz = 3", id="no mark that would not parse"),
    ],
)
@pytest.mark.parametrize("kind", [source_pb2.SOURCE_KIND_CODE, source_pb2.SOURCE_KIND_HISTORY])
def test_code_and_conversations_have_no_titles(kept, shown, kind):
    text = "\n\n\n".join(CODE)
    passages = candidates(text, CODE, kind)
    for candidate in passages:
        candidate.passage.title_path.append("module")
    assert lay_out(text, passages, left(passages, kept), "…") == shown


def test_a_summary_stands_apart():
    passages = candidates(TEXT, PARTS, source_pb2.SOURCE_KIND_DOCS)
    outcomes = left(passages, {0: "# A\n\nOne. Two.", 1: "Three."})
    outcomes[1].text, outcomes[1].reason = "3.", compressor.CompressedPassage.REASON_SUMMARY
    assert lay_out(TEXT, passages, outcomes, "…") == "# A\n\nOne. Two.\n…\n3."
