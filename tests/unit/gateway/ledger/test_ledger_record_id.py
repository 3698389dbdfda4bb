"""Names of records sort as the records came."""

import re
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.ledger.record_id import first_record_id, milliseconds_of, new_record_id

MOMENTS = st.integers(0, 2**48 - 1)


@given(MOMENTS, st.integers())
def test_a_name_is_26_characters_and_tells_its_moment(moment: int, seed: int) -> None:
    name = new_record_id(lambda: moment / 1000, Random(seed))
    assert re.fullmatch("[0-9a-hjkmnp-tv-z]{26}", name)
    assert abs(milliseconds_of(name) - moment) <= 1


@given(MOMENTS, MOMENTS, st.integers())
def test_later_names_are_greater(one: int, other: int, seed: int) -> None:
    random = Random(seed)
    earlier, later = sorted((one, other))
    names = [new_record_id(lambda moment=moment: moment / 1000, random) for moment in (earlier, later)]  # type: ignore[misc]  # mypy infers no default of a lambda
    assert milliseconds_of(names[0]) == milliseconds_of(names[1]) or names[0] < names[1]
    assert first_record_id(milliseconds_of(names[1])) <= names[1]


def test_names_of_one_moment_differ() -> None:
    names = {new_record_id(lambda: 1.0) for _ in range(1000)}
    assert len(names) == 1000


def test_a_known_name() -> None:
    """The example of the specification, https://github.com/ulid/spec."""
    assert milliseconds_of("01arz3ndektsv4rrffq69g5fav") == 1_469_922_850_259
