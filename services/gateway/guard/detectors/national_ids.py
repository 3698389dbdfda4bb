"""Numbers that states give to persons."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType

from stdnum.be import nn
from stdnum.br import cpf
from stdnum.ch import ssn as ahv
from stdnum.de import idnr
from stdnum.dk import cpr
from stdnum.es import dni, nie
from stdnum.fi import hetu
from stdnum.fr import nir
from stdnum.in_ import aadhaar
from stdnum.it import codicefiscale
from stdnum.nl import bsn
from stdnum.no import fodselsnummer
from stdnum.pl import pesel
from stdnum.se import personnummer
from stdnum.us import ssn

from services.gateway.guard.hit import Hit
from services.gateway.guard.patterns import Pattern, Patterns
from services.gateway.guard.policy import SensitiveType


@dataclass(frozen=True, slots=True)
class _Number:
    """One state's number."""

    form: str
    """RE: what it looks like."""
    check: ModuleType | None
    """What knows its rules; None: the form is all there is."""
    names: str = ""
    """RE: what it is called. Where it is not empty one of these must stand before it, since its form is too common."""


_NUMBERS: Sequence[_Number] = (
    _Number(r"\d{3}-\d{2}-\d{4}", ssn),
    _Number(r"\d{3} ?\d{2} ?\d{4}", ssn, r"ssn|social security"),
    _Number(r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]", None),
    _Number(r"[12] ?\d{2} ?[01]\d ?\d[\dAB] ?\d{3} ?\d{3} ?\d{2}", nir),
    _Number(r"[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]", codicefiscale),
    _Number(r"\d{8}-?[A-Z]", dni),
    _Number(r"[XYZ]-?\d{7}-?[A-Z]", nie),
    _Number(r"756\.\d{4}\.\d{4}\.\d{2}", ahv),
    _Number(r"\d{3}\.\d{3}\.\d{3}-\d{2}", cpf),
    _Number(r"\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}", nn),
    _Number(r"[0-3]\d[01]\d{3}[-+A-FU-Y]\d{3}[0-9A-Y]", hetu),
    _Number(r"\d{6}[-+]\d{4}", personnummer),
    _Number(r"\d{8}-?\d{4}", personnummer, r"personnummer|personal identity number|samordningsnummer"),
    _Number(r"[0-3]\d[01]\d{3}-?\d{4}", cpr, r"cpr"),
    _Number(r"[0-3]\d[01]\d{3} ?\d{5}", fodselsnummer, r"f(?:ø|oe|o)dselsnummer|personnummer|national id"),
    _Number(r"\d{2} ?\d{3} ?\d{3} ?\d{3}", idnr, r"steuer-?(?:id|identifikationsnummer|nummer)|idnr|tax id|tin"),
    _Number(r"\d{11}", pesel, r"pesel"),
    _Number(r"\d{9}", bsn, r"bsn|burgerservicenummer|sofinummer"),
    _Number(r"\d{4} ?\d{4} ?\d{4}", aadhaar, r"aadhaar|aadhar|uidai"),
)  # fmt: skip
_BETWEEN = r"(?:[ ]?(?:number|no\.?|nr\.?|id|code|is))?[\"']?[ ]{0,2}[:=#|]?[ ]{0,4}[\"']?"


class NationalIds:
    """Numbers of 17 countries whose own rules, check digits above all, are right.

    Where many other numbers look the same, the number's name must stand before it.
    """

    name = "national_id"

    def __init__(self) -> None:
        self._patterns = Patterns(_pattern(number) for number in _NUMBERS)

    def find(self, text: str) -> Iterator[Hit]:
        """Where they stand."""
        for index, found in self._patterns.find(text):
            check = _NUMBERS[index].check
            if check is None or check.is_valid(found["number"].replace(" ", "")):
                yield Hit(*found.span("number"), SensitiveType.NATIONAL_ID)


def _pattern(number: _Number) -> Pattern:
    named = rf"(?i:{number.names}){_BETWEEN}" if number.names else ""
    before = r"(?<!\w)" if named else r"(?<![\w+.-])"
    exact = re.compile(rf"{before}{named}(?P<number>{number.form})(?![\w-]|\.\d)", re.ASCII)
    return Pattern(exact, named + number.form)
