"""What the default profile promises."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.composer.evidence import Evidence, render
from services.gateway.budget import HEADING_TOKENS
from services.gateway.profile import default_profile
from services.text.tokens import ENCODING_NAMES, encoding_for

PROFILE = default_profile("gpt-4o")
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60).filter(
    str.strip
)
ITEMS = st.lists(
    st.builds(
        Evidence,
        title_path=st.lists(WORDS, max_size=3).map(tuple),
        source=st.sampled_from(["docs", "code", "history", "inline"]),
        text=st.lists(WORDS, min_size=1, max_size=3).map(PROFILE.gap.join),
    ),
    max_size=12,
)


@pytest.mark.parametrize("encoding_name", ENCODING_NAMES)
@settings(max_examples=150, deadline=None)
@given(evidence=ITEMS)
def test_the_overhead_covers_what_the_composer_writes_around_a_passage(encoding_name, evidence):
    """So what the compressor kept within its budget is never cut by the composer."""
    encoding = encoding_for(encoding_name)
    counted = HEADING_TOKENS + sum(
        PROFILE.passage_overhead
        + encoding.count(" > ".join(item.title_path) + "\n" if item.title_path else "")
        + encoding.count(item.text + "\n")
        for item in evidence
    )
    assert encoding.count(render(evidence)) <= counted
