"""What stands in the prompt in the place of a value."""

import re
from collections.abc import Sequence

from scic.type.v1 import guard_pb2
from services.gateway.guard.policy import SensitiveType
from services.gateway.guard.sensitive import Sensitive
from services.gateway.guard.visible import Visible

_PSEUDONYM = re.compile(rf"\[(?:{'|'.join(kind.name for kind in SensitiveType)})_[1-9]\d*\]", re.ASCII)
_NOT_DIGITS = re.compile(r"\D")
_PRINTED = re.compile(r"[\s./\u2010-\u2013-]+")


class Pseudonyms:
    """`[EMAIL_1]`, `[EMAIL_2]`, …: numbered as they are asked for, one for each value however it is written."""

    def __init__(self) -> None:
        self._by_value: dict[tuple[SensitiveType, str], str] = {}
        self._stands_for: dict[str, Sensitive] = {}
        self._numbers = dict.fromkeys(SensitiveType, 0)
        self._written: set[str] = set()

    def note(self, text: str) -> None:
        """Learns what looks like a pseudonym in a text from outside, so that it is not given out, or not given back."""
        if "[" in text:
            # Hidden characters in it would be gone in the prompt.
            self._written.update(_PSEUDONYM.findall(Visible.of(text).text))

    def of(self, value: Sensitive) -> str:
        """The value's pseudonym."""
        key = identity(value)
        if key not in self._by_value:
            self._by_value[key] = pseudonym = self._next(value.type)
            self._stands_for[pseudonym] = value
        return self._by_value[key]

    def places(self, text: str) -> list[tuple[int, int]]:
        """Where pseudonyms that were given out stand in a text: those are masked already."""
        if not self._stands_for or "[" not in text:
            return []
        return [found.span() for found in _PSEUDONYM.finditer(text) if found[0] in self._stands_for]

    def restorable(self) -> Sequence[guard_pb2.Pseudonym]:
        """What was given out, in that order, each with the value as it was first written.

        A pseudonym that a text from outside holds too is left out: in an answer nobody could tell which one is meant.
        """
        return [
            guard_pb2.Pseudonym(
                pseudonym=pseudonym,
                value=value.text,
                type=guard_pb2.SensitiveType.Value(f"SENSITIVE_TYPE_{value.type.name}"),
            )
            for pseudonym, value in self._stands_for.items()
            if pseudonym not in self._written
        ]

    def _next(self, kind: SensitiveType) -> str:
        while True:
            self._numbers[kind] += 1
            pseudonym = f"[{kind.name}_{self._numbers[kind]}]"
            if pseudonym not in self._written:
                return pseudonym


def identity(value: Sensitive) -> tuple[SensitiveType, str]:
    """The same for the same value, however it is written: capitals in mail addresses and names, blanks in numbers."""
    match value.type:
        case SensitiveType.EMAIL | SensitiveType.PERSON:
            written = " ".join(value.text.casefold().split())
        case SensitiveType.PHONE | SensitiveType.PAYMENT_CARD:
            written = _NOT_DIGITS.sub("", value.text)
        case SensitiveType.IBAN | SensitiveType.NATIONAL_ID:
            written = _PRINTED.sub("", value.text)
        case _:
            written = value.text
    return value.type, written
