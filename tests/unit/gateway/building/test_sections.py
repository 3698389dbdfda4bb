"""The evidence budget by source."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scic.compressor.v1 import compressor_service_pb2 as compressor
from scic.type.v1 import passage_pb2, score_pb2, source_pb2
from services.gateway.building.candidate import Candidate
from services.gateway.building.sections import budget_sections
from services.gateway.sources.declarations import declared_sources
from services.gateway.sources.source import BUILT_IN, Source, Sources

Section = compressor.BudgetSection


def of(*sources: str) -> list[Candidate]:
    return [Candidate(passage_pb2.Passage(source=source), score_pb2.Score()) for source in sources]


def test_the_priorities_that_are_built_in():
    shares = budget_sections(of("inline", "history", "docs", "code", "vectors"), BUILT_IN, 1000)
    assert [(s.name, round(s.priority, 3), s.min_tokens, s.max_tokens) for s in shares.sections] == [
        ("inline", 1.0, 0, 0),
        ("history", 0.6, 0, 0),
        ("docs", 0.4, 0, 0),
        ("code", 0.4, 0, 0),
        ("vectors", 0.4, 0, 0),
    ]


def test_each_passage_belongs_to_the_section_of_its_source_and_only_those_present_have_one():
    shares = budget_sections(of("docs", "inline", "docs", "code"), BUILT_IN, 1000)
    assert [section.name for section in shares.sections] == ["docs", "inline", "code"]
    assert shares.indexes == (0, 1, 0, 2)


def test_declared_examples_have_the_priority_and_shares_that_are_declared():
    sources = declared_sources('{"examples": {"priority": 0.2, "min_share": 0.1, "max_share": 0.25}}')
    (section,) = budget_sections(of("examples"), sources, 1000).sections
    assert section.priority == pytest.approx(0.2)
    assert (section.min_tokens, section.max_tokens) == (100, 250)


def test_a_bound_that_rounds_to_nothing_is_still_a_bound():
    sources = Sources((Source("docs", source_pb2.SOURCE_KIND_DOCS, max_share=0.01),))
    assert budget_sections(of("docs"), sources, 20).sections[0].max_tokens == 1


def test_sources_that_are_no_longer_declared_are_general_knowledge_together():
    shares = budget_sections(of(*(f"old-{n}" for n in range(40)), "docs"), BUILT_IN, 1000)
    assert [round(section.priority, 3) for section in shares.sections] == [0.4, 0.4]
    assert set(shares.indexes[:-1]) == {0}
    assert shares.indexes[-1] == 1


@given(shares=st.lists(st.integers(0, 1000), max_size=8), tokens=st.integers(0, 1_000_000))
def test_floors_never_add_up_to_more_than_the_budget(shares, tokens):
    total = max(sum(shares), 1)
    sources = Sources(
        Source(f"s{n}", source_pb2.SOURCE_KIND_DOCS, min_share=share / total) for n, share in enumerate(shares)
    )
    sections = budget_sections(of(*sources), sources, tokens).sections
    assert sum(section.min_tokens for section in sections) <= tokens
