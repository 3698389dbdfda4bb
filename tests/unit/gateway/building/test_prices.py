"""What a token costs: from the table in the package, by the model's name."""

import socket

import pytest

from services.gateway.building.prices import model_price, token_price


@pytest.mark.parametrize(
    ("model", "input_usd", "cached"),
    [
        pytest.param("gpt-4o", 2.5, 1.25, id="with a price of the prompt cache"),
        pytest.param("gpt-4o-2024-08-06", 2.5, 1.25, id="by its dated name"),
        pytest.param("gpt-4", 30.0, None, id="without one"),
    ],
)
def test_a_known_model_has_its_price(model, input_usd, cached):
    price = token_price(model)
    assert price is not None
    assert price.input_usd == pytest.approx(input_usd)
    assert (price.cached_input_usd if price.HasField("cached_input_usd") else None) == cached


@pytest.mark.parametrize("name", ["o200k_base", "cl100k_base", "gpt-99", "nobody's model", ""])
def test_what_the_table_does_not_know_has_none(name):
    assert token_price(name) is None


def test_of_tiers_the_lowest_is_taken():
    price = token_price("gpt-5.4")
    assert price is not None
    assert price.input_usd == pytest.approx(2.5)


def test_no_network_is_touched(monkeypatch):
    def refuse(*_):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    model_price.cache_clear()
    assert token_price("gpt-4o") is not None
