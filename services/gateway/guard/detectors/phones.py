"""Telephone numbers."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

import phonenumbers

from services.gateway.guard.hit import Hit
from services.gateway.guard.patterns import Pattern, Patterns
from services.gateway.guard.policy import SensitiveType

_DIGITS: Final = r"\d(?:[ \xa0]?[-./()]{0,2}[ \xa0]?\d)"
_CUE: Final = (
    r"(?i:tele(?:phone|fon|fono)|phone|tel|t[ée]l|mobile?|mobil|cell|handy|fax|calls?|called|dial|ring|text|sms|"
    r"whats ?app|reach|hotline|rufnummer|anruf)"
    r"(?:[a-z_]{1,8}|[ ](?:number|no\.?|us|me|him|her|them|is|at|on|or|to)){0,3}"
    r"[\"'`]?[ ]{0,2}[:.=|#]{0,2}[ ]{0,4}[\"'`]?"
)
"""A word that says that a number is one to call, and what may stand between."""
_REGIONS: Final = ("US", "GB", "DE", "FR", "ES", "IT", "NL", "AT", "CH", "BE", "PL", "SE", "IN", "AU", "BR", "JP")
"""Whose national form a number without a country code may have where a word says that it is one."""


def _pattern(before: str, form: str, after: str) -> Pattern:
    return Pattern(re.compile(f"{before}{form}{after}", re.ASCII), form)


def _shape(form: str) -> Pattern:
    return _pattern(r"(?<![\w./+-])", f"(?P<number>{form})", r"(?![\w-]|[./]\d)")


_FORMS: Final[Sequence[tuple[Pattern, Sequence[str | None]]]] = (
    (_pattern(r"(?<![\w+])", rf"(?P<number>(?:\(?\+[ ]?|00[1-9]){_DIGITS}{{6,14}})", r"(?!\w|[-.]\d)"), (None,)),
    (_shape(r"(?:1[-. ])?(?:\(\d{3}\)[ ]?|\d{3}[-.])\d{3}[-. ]\d{4}"), ("US",)),
    (_shape(r"\(?0\d{2}\)?[ ]\d{4}[ ]\d{4}|\(?0\d{3}\)?[ ]\d{3}[ ]\d{4}|07\d{3}[ ]\d{3}[ ]?\d{3}"), ("GB",)),
    (_shape(r"0[1-9](?:[ .]\d{2}){4}"), ("FR",)),
    (_pattern(r"\b", rf"{_CUE}(?P<number>\(?{_DIGITS}{{5,13}})", r"(?!\w|[-.]\d)"), _REGIONS),
)
"""A form, and the regions whose plan may know the number; None: the number says which."""
_LEAST_DIGITS = 7


class Phones:
    """Numbers that the numbering plan of their country knows (Google's libphonenumber).

    With a country code, wherever they stand; without one, in forms of the USA, Britain and France that little else has,
    or behind a word such as "phone" in the national form of 16 countries.
    """

    name = "phone"

    def __init__(self) -> None:
        self._patterns = Patterns(pattern for pattern, _ in _FORMS)
        # Reads the plans, which takes some milliseconds each.
        for region in _REGIONS:
            _is_valid("0123456789", region)

    def find(self, text: str) -> Iterator[Hit]:
        """Where they stand."""
        for index, found in self._patterns.find(text):
            yield from _shortened(*found.span("number"), text, _FORMS[index][1])


def _shortened(start: int, end: int, text: str, regions: Sequence[str | None]) -> Iterator[Hit]:
    """The longest beginning that is a number: other figures may follow behind a blank."""
    value = text[start:end]
    while sum(character.isdigit() for character in value) >= _LEAST_DIGITS:
        if any(_is_valid(value, region) for region in regions):
            yield Hit(start, start + len(value), SensitiveType.PHONE)
            return
        value = value.rpartition(" ")[0].rstrip()


def _is_valid(value: str, region: str | None) -> bool:
    written = value.replace("(0)", "").lstrip("(") if region is None else value
    international = "+" + written[2:] if region is None and written.startswith("00") else written
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(international, region))
    except phonenumbers.NumberParseException:
        return False
