"""Numbers of payment cards."""

import re
from collections.abc import Iterator

from stdnum import luhn

from services.gateway.guard.hit import Hit
from services.gateway.guard.patterns import Pattern, Patterns
from services.gateway.guard.policy import SensitiveType

_CANDIDATE = Pattern(
    re.compile(
        r"(?<![\w.+-])(?:"
        r"\d{14,19}"
        r"|\d{4}(?P<separator>[ -])\d{4}(?P=separator)\d{4}(?P=separator)\d{4}(?:(?P=separator)\d{3})?"
        r"|\d{4}(?P<other>[ -])\d{6}(?P=other)\d{4,5}"
        r")(?![\w-]|\.\d)",
        re.ASCII,
    ),
    r"\d{4}[ -]?\d{4}[ -]?\d{2}",
)
_SCHEME = re.compile(
    r"4\d{15}(?:\d{3})?"  # Visa
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|(?:6011|65\d\d|64[4-9]\d)\d{12}"  # Discover
    r"|3(?:0[0-5]|[689]\d)\d{11}"  # Diners Club
    r"|35(?:2[89]|[3-8]\d)\d{12}"  # JCB
    r"|62\d{14,17}",  # UnionPay
    re.ASCII,
)


class Cards:
    """Numbers of the large schemes, in one piece or in the groups that are printed, with a right check digit (Luhn)."""

    name = "payment_card"

    def __init__(self) -> None:
        self._patterns = Patterns([_CANDIDATE])

    def find(self, text: str) -> Iterator[Hit]:
        """Where they stand."""
        for _, candidate in self._patterns.find(text):
            digits = candidate[0].replace(" ", "").replace("-", "")
            if _SCHEME.fullmatch(digits) and luhn.is_valid(digits):
                yield Hit(*candidate.span(), SensitiveType.PAYMENT_CARD)
