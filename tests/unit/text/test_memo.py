from __future__ import annotations

from services.text.memo import Memo, Remembered


def counting(size: int) -> tuple[Memo[int], list[str]]:
    """A memo of lengths, and what was worked out."""
    asked: list[str] = []

    def length(text: str) -> int:
        asked.append(text)
        return len(text)

    return Memo(length, size), asked


def test_a_text_is_worked_out_once() -> None:
    memo, asked = counting(10)
    assert [memo["ab"], memo["c"], memo["ab"]] == [2, 1, 2]
    assert asked == ["ab", "c"]


def test_it_never_holds_more_than_its_size() -> None:
    memo, _ = counting(3)
    for number in range(10):
        assert memo[f"{number}"] == 1
        assert len(memo) <= 3


def test_a_long_text_is_not_kept() -> None:
    memo, asked = counting(10)
    long = "x" * 100_000
    assert memo[long] == memo[long] == 100_000
    assert asked == [long, long]
    assert not memo


def test_results_of_texts_are_remembered_without_the_texts() -> None:
    asked: list[str] = []

    def upper(text: str) -> int:
        asked.append(text)
        return len(text)

    remembered = Remembered(upper, 2, longest=5)
    for text in ("one", "one", "\ud800", "\ud800", "too long", "too long", "two", "one"):
        assert remembered(text) == len(text)
    assert asked == ["one", "\ud800", "too long", "too long", "two", "one"], "the third text began anew"
    assert not {"one", "two"} & {*remembered._results}
