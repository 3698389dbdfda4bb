# ruff: noqa: RUF001 - the ambiguous characters are what these tests are about
from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.text.terms import analyse


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        pytest.param("The runners were running", ["runner", "run"], id="stop words out, stems"),
        pytest.param("Don't, it’s, they'll", [], id="contractions are stop words"),
        pytest.param("John's house and the dogs’ bowl", ["john", "hous", "dog", "bowl"], id="possessives"),
        pytest.param("getUserName", ["getusernam", "get", "user", "name"], id="camel case"),
        pytest.param("get_user_name", ["getusernam", "get", "user", "name"], id="snake case"),
        pytest.param("MAX_RETRY_COUNT", ["maxretrycount", "max", "retri", "count"], id="constants"),
        pytest.param("HTTPServer", ["httpserver", "http", "server"], id="acronym in camel case"),
        pytest.param("is_valid", ["isvalid", "valid"], id="a part that is a stop word"),
        pytest.param("__init__ _ __", ["init"], id="underscores are no term"),
        pytest.param("sha256", ["sha256", "sha", "256"], id="letters and digits"),
        pytest.param("C++ and C#, not c", ["c++", "c#", "c"], id="languages named by signs"),
        pytest.param("Python 3.11 and v1.2.3", ["python", "3.11", "1.2.3"], id="versions"),
        pytest.param("1,000,000 or 1000000", ["1000000", "1000000"], id="thousands"),
        pytest.param("2024-05-13", ["2024-05-13", "2024", "05", "13"], id="date"),
        pytest.param("1914-1918", ["1914-1918", "1914", "1918"], id="range"),
        pytest.param("at 10:30", ["10:30"], id="time"),
        pytest.param("U.S. troops", ["us", "troop"], id="acronym with dots"),
        pytest.param("ﬁnd Ｔｅｘｔ STRASSE straße", ["find", "text", "strass", "strass"], id="NFKC and case folding"),
        pytest.param("東京都", ["東京", "京都"], id="Han: pairs"),
        pytest.param("犬", ["犬"], id="Han: one character"),
        pytest.param("Python入門", ["python", "入門"], id="two scripts in a row"),
        pytest.param("हिन्दी भाषा", ["हिन्दी", "भाषा"], id="combining marks stay in their word"),
        pytest.param("нужны собаки", ["нужны", "собаки"], id="Cyrillic"),
        pytest.param("", [], id="empty"),
        pytest.param("?! … \n", [], id="no words"),
    ],
)
def test_terms(text: str, terms: list[str]) -> None:
    assert analyse(text) == terms


@settings(deadline=None)
@given(st.text())
def test_terms_are_words_without_white_space(text: str) -> None:
    assert all(term and not any(character.isspace() for character in term) for term in analyse(text))


@settings(deadline=None)
@given(st.text(), st.text())
def test_terms_of_lines_add_up(first: str, second: str) -> None:
    assert analyse(f"{first}\n{second}") == analyse(first) + analyse(second)


# What the pattern of words treats each in its own way.
_PIECES = [
    "a",
    "c",
    "v",
    "Word",
    "C++",
    "C#",
    "U.S.",
    "v1.2",
    "1,000",
    "2024-05",
    "John's",
    "'s",
    "_",
    ".",
    "-",
    "/",
    "+",
]
_ASCII = st.lists(st.sampled_from([*_PIECES, " ", "\n", "\x1c", "7", "x" * 70]) | st.characters(codec="ascii")).map(
    "".join
)


@settings(max_examples=500, deadline=None)
@given(_ASCII)
def test_ascii_has_the_words_it_has_beside_other_characters(text: str) -> None:
    assert [*analyse(text), "é"] == analyse(f"{text} é")


def test_a_long_run_of_letters_is_cut() -> None:
    assert max(map(len, analyse("x" * 100_000))) <= 64


def test_threads_get_the_same_terms() -> None:
    texts = [f"running{number} jumpedOver_{number} happily" for number in range(2_000)]
    with ThreadPoolExecutor(4) as pool:
        results = [list(pool.map(analyse, texts)) for _ in range(2)]
    assert results[0] == results[1] == [analyse(text) for text in texts]
