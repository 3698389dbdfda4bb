"""In which order a worker asks tenants."""

from random import Random

import pytest

from services.gateway.jobs.turns import Facts, Turns

LEASE = 30.0
NOTHING = Facts(waiting=0, running=0, next_seconds=None, stored=0)


def busy(running: int, waiting: int = 9) -> Facts:
    return Facts(waiting, running, LEASE, 99)


@pytest.fixture
def turns() -> Turns:
    turns = Turns(lease_seconds=LEASE, random=Random(1))
    for number, name in enumerate("abc"):
        turns.registered(name, number, 0.0)
    return turns


def test_the_one_with_the_fewest_running_is_first(turns: Turns) -> None:
    for name, running in {"a": 3, "b": 1, "c": 2}.items():
        turns.told(name, busy(running), 0.0, served=True)
    assert turns.next(0.1) == "b"
    turns.told("b", busy(3), 0.1, served=True)
    assert turns.next(0.1) == "c"
    turns.ended("a")
    turns.ended("a")
    assert turns.next(0.1) == "a"


def test_among_equals_the_one_that_was_served_longest_ago_is_first(turns: Turns) -> None:
    served = list[str]()
    for _ in range(9):
        name = turns.next(0.0)
        assert name is not None
        turns.told(name, busy(1), 0.0, served=True)
        served.append(name)
    assert served == [*"abc"] * 3


def test_nobody_is_passed_over_for_long_by_what_it_had_running_once(turns: Turns) -> None:
    turns.told("a", busy(100), 0.0, served=True)
    turns.told("b", busy(1), 0.5, served=True)
    turns.told("c", busy(1), 0.9, served=True)
    assert turns.next(0.99) == "b"
    assert turns.next(1.1) == "a"


def test_who_had_nothing_is_asked_again_after_a_minute_or_when_something_may_have_come(turns: Turns) -> None:
    for name in "abc":
        turns.told(name, NOTHING, 0.0, served=False)
    assert turns.next(29.0) is None
    turns.registered("b", 1, 29.0)  # the word that it knows
    assert turns.next(29.0) is None
    turns.registered("b", 7, 29.0)
    assert turns.next(29.0) == "b"
    turns.told("b", NOTHING, 29.0, served=False)
    assert turns.next(60.0) in {"a", "c"}


@pytest.mark.parametrize(
    ("until", "asked_at"),
    [pytest.param(3.0, 3.0, id="a pause is over"), pytest.param(LEASE, LEASE / 2, id="a lease is watched twice")],
)
def test_who_has_jobs_that_run_or_pause_is_asked_in_time(until: float, asked_at: float) -> None:
    turns = Turns(lease_seconds=LEASE, random=Random(1))
    turns.registered("a", 1, 0.0)
    turns.told("a", Facts(waiting=0, running=1, next_seconds=until, stored=1), 0.0, served=False)
    assert turns.next(asked_at - 0.01) is None
    assert turns.next(asked_at) == "a"


@pytest.mark.parametrize(
    ("until", "asked_at"),
    [pytest.param(5.0, 5.0, id="soon"), pytest.param(0.0, 0.1, id="more than one question sweeps away")],
)
def test_who_has_something_to_forget_is_asked_in_time_and_not_all_the_time(until: float, asked_at: float) -> None:
    turns = Turns(lease_seconds=LEASE, random=Random(1))
    turns.registered("a", 1, 0.0)
    turns.told("a", Facts(0, 0, None, 9, forget_seconds=until), 0.0, served=False)
    assert turns.next(asked_at - 0.01) is None
    assert turns.next(asked_at) == "a"


def test_who_does_not_answer_does_not_hold_others_up(turns: Turns) -> None:
    turns.postpone("a", 0.0)
    assert turns.next(0.0) == "b"
    assert {turns.next(2.0)} == {"a"}


def test_who_left_is_forgotten(turns: Turns) -> None:
    for name in "abc":
        turns.drop(name)
    assert turns.next(0.0) is None
    turns.told("a", busy(1), 0.0, served=True)
    assert turns.next(0.0) is None
