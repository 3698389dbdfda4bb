"""The number of a fence: unguessable, and of the same cost whatever it is."""

import pytest

from services.prompt.block import Block
from services.prompt.fence import PLAIN_NONCE, closing, draw_nonce, opening
from services.prompt.message import Trust
from services.text.tokens import ENCODING_NAMES, encoding_for


@pytest.mark.parametrize("name", ENCODING_NAMES)
def test_every_group_of_three_digits_is_one_token(name):
    encoding = encoding_for(name).tiktoken
    assert [len(encoding.encode(f"{group:03d}")) for group in range(1_000)] == [1] * 1_000


@pytest.mark.parametrize("name", ENCODING_NAMES)
@pytest.mark.parametrize("trust", Trust)
def test_every_number_costs_the_same(name, trust):
    encoding = encoding_for(name)
    nonces = [PLAIN_NONCE, "9" * 24, "0" * 23 + "1", *(f"{group:03d}" * 8 for group in range(0, 1_000, 7))]
    assert len({encoding.count(opening(trust, nonce)) for nonce in nonces}) == 1
    assert len({encoding.count(closing(trust, nonce)) for nonce in nonces}) == 1


def test_a_number_has_80_bits_and_is_new_each_time():
    drawn = [draw_nonce() for _ in range(1_000)]
    assert len(set(drawn)) == len(drawn)
    assert all(nonce.isdecimal() and nonce.isascii() and len(nonce) == 24 for nonce in drawn)
    # Each digit stands at each place: 1,000 draws miss one of 240 by a chance below 1e-40.
    assert all({nonce[place] for nonce in drawn} == set("0123456789") for place in range(24))


@pytest.mark.parametrize("name", ENCODING_NAMES)
@pytest.mark.parametrize("header", ["", "Title (docs)", "(docs)", "漢字", "1"])
def test_a_block_costs_the_same_under_every_number(name, header):
    encoding = encoding_for(name)
    assert len({encoding.count(Block(header, "text").numbered(number)) for number in range(1, 1_000)}) == 1
