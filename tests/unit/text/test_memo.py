from __future__ import annotations

from services.text.memo import Memo


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


def test_how_long_is_for_its_owner_to_say() -> None:
    memo = Memo(len, 10, longest=100)
    assert memo["x" * 100] == 100
    assert memo["x" * 101] == 101
    assert list(memo) == ["x" * 100]
