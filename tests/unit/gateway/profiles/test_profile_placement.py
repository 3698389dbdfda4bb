"""Whose requests are whose, and that they stay so."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scic.gateway.v1 import profile_service_pb2 as pb
from services.gateway.profiles.placement import place, placement

UNITS = [f"conversation-{number}" for number in range(300)]
VERSIONS = [f"{number:016x}" for number in range(6)]


def label(shares, **tenants):
    variants = [
        pb.Variant(version=version, percent=percent, tenants=tenants.get(f"v{int(version, 16)}", ()))
        for version, percent in shares.items()
    ]
    return pb.Label(name="support", label="live", variants=variants)


@st.composite
def shares(draw):
    versions = draw(st.lists(st.sampled_from(VERSIONS), min_size=1, max_size=6, unique=True))
    cuts = sorted(draw(st.integers(0, 10_000)) for _ in versions[1:])
    ends = [*cuts, 10_000]
    return {version: (end - begin) / 100 for version, begin, end in zip(versions, [0, *cuts], ends, strict=True)}


def owners(placed):
    return [index for index, count in placed.runs for _ in range(count)]


@settings(max_examples=60, deadline=None)
@given(st.lists(shares(), min_size=2, max_size=5))
def test_nothing_leaves_a_variant_whose_share_does_not_shrink(moves):
    placed = None
    for wanted in moves:
        after = place(label(wanted), placed)
        for version, percent in wanted.items():
            held = sum(after.label.variants[owner].version == version for owner in owners(after))
            assert held == round(percent * 100), "exactly its share"
        if placed is not None:
            was = {variant.version: variant.percent for variant in placed.label.variants}
            for unit in UNITS:
                before = placed.choose("acme", unit).version
                if wanted.get(before, -1) >= was[before]:
                    assert after.choose("acme", unit).version == before
        placed = after


def test_two_canaries_that_grow_keep_what_they_have():
    """With intervals of cumulated shares the first would push the second aside."""
    main, first, second = VERSIONS[:3]
    before = place(label({main: 80, first: 10, second: 10}), None)
    after = place(label({main: 60, first: 20, second: 20}), before)
    for unit in UNITS:
        if before.choose("acme", unit).version != main:
            assert after.choose("acme", unit).version == before.choose("acme", unit).version


def test_a_canary_gets_about_its_share_in_every_tenant():
    placed = place(label({VERSIONS[0]: 90, VERSIONS[1]: 10}), None)
    for tenant in ("acme", "zenith"):
        canary = sum(placed.choose(tenant, f"u{number}").version == VERSIONS[1] for number in range(5_000))
        assert 400 < canary < 600
    assert any(placed.choose("acme", unit) != placed.choose("zenith", unit) for unit in UNITS), "not the same ones"


def test_a_choice_is_for_good():
    """Frozen: another hash would send conversations to another version when a gateway is updated."""
    placed = place(label({VERSIONS[0]: 50, VERSIONS[1]: 50}), None)
    chosen = "".join(placed.choose("acme", unit).version[-1] for unit in UNITS[:32])
    assert chosen == "10110110110100101010001110010000"


def test_a_variant_that_names_a_tenant_wins():
    placed = place(label({VERSIONS[0]: 100, VERSIONS[1]: 0}, v1=["acme"]), None)
    assert {placed.choose("acme", unit).version for unit in UNITS} == {VERSIONS[1]}
    assert {placed.choose("zenith", unit).version for unit in UNITS} == {VERSIONS[0]}


def test_shares_that_do_not_divide_are_all_dealt():
    placed = place(label({VERSIONS[0]: 33.333, VERSIONS[1]: 33.333, VERSIONS[2]: 33.333}), None)
    assert sum(count for _, count in placed.runs) == 10_000


def test_the_main_variant_is_the_largest_and_of_equals_the_first():
    assert place(label({VERSIONS[0]: 10, VERSIONS[1]: 90}), None).main.version == VERSIONS[1]
    assert place(label({VERSIONS[0]: 50, VERSIONS[1]: 50}), None).main.version == VERSIONS[0]


@pytest.mark.parametrize("runs", [(), ((0, 9_999),), ((0, 10_001),)])
def test_runs_that_are_not_all_buckets_are_refused(runs):
    with pytest.raises(ValueError, match="all buckets"):
        placement(label({VERSIONS[0]: 100}), runs)
