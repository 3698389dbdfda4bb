"""What is found of the labelled values; the benchmark prints the figures."""

from collections import Counter

import pytest

from benchmarks.guard import labelled_texts
from services.gateway.guard.policy import SensitiveType

LEAST = {
    SensitiveType.SECRET: (0.97, 0.9),
    SensitiveType.EMAIL: (0.97, 0.97),
    SensitiveType.PHONE: (0.95, 0.95),
    SensitiveType.PERSON: (0.85, 0.85),
    SensitiveType.PAYMENT_CARD: (0.97, 0.97),
    SensitiveType.IBAN: (0.97, 0.97),
    SensitiveType.NATIONAL_ID: (0.97, 0.97),
    SensitiveType.IP_ADDRESS: (0.97, 0.97),
}
"""Precision and recall."""


@pytest.fixture(scope="module")
def tallies(detectors):
    """Right, found and labelled values by type."""
    right, found, labelled = Counter[SensitiveType](), Counter[SensitiveType](), Counter[SensitiveType]()
    for text in labelled_texts():
        values = {(value.type, value.text) for value in detectors.find(text.text)}
        found.update(kind for kind, _ in values)
        labelled.update(kind for kind, _ in text.values)
        right.update(kind for kind, _ in values & text.values)
    return right, found, labelled


def test_the_labelled_values_are_many_and_of_all_types(tallies):
    _, _, labelled = tallies
    assert sum(labelled.values()) >= 300
    assert min(labelled[kind] for kind in SensitiveType) >= 20


@pytest.mark.parametrize("kind", SensitiveType, ids=str)
def test_finds_what_is_there_and_little_else(tallies, kind):
    right, found, labelled = tallies
    precision, recall = LEAST[kind]
    assert right[kind] / found[kind] >= precision
    assert right[kind] / labelled[kind] >= recall
