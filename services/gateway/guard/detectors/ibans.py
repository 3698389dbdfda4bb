"""International bank account numbers."""

import re
from collections.abc import Iterator

from stdnum import iban

from services.gateway.guard.hit import Hit
from services.gateway.guard.patterns import Pattern, Patterns
from services.gateway.guard.policy import SensitiveType

_CANDIDATE = Pattern(
    re.compile(r"(?<![\w-])[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}(?![\w-])", re.ASCII), r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11}"
)
_SHORTEST = 15
"""Characters, in Norway."""


class Ibans:
    """In one piece or in groups, in capitals, right in the country's structure and in the check digits (ISO 13616).

    Checks that single banks or countries make beside that are not made: a number that fails one was mistyped at most.
    """

    name = "iban"

    def __init__(self) -> None:
        self._patterns = Patterns([_CANDIDATE])

    def find(self, text: str) -> Iterator[Hit]:
        """Where they stand."""
        for _, candidate in self._patterns.find(text):
            value = candidate[0]
            # Words in capitals may follow, so that the number ends at one of the blanks.
            while len(value) >= _SHORTEST:
                if iban.is_valid(value, check_country=False):
                    yield Hit(candidate.start(), candidate.start() + len(value), SensitiveType.IBAN)
                    break
                value = value.rpartition(" ")[0]
