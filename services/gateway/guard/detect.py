"""Finds personal data and secrets in a text, without asking anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from services.gateway.guard.detectors.cards import Cards
from services.gateway.guard.detectors.credentials import Credentials
from services.gateway.guard.detectors.emails import Emails
from services.gateway.guard.detectors.ibans import Ibans
from services.gateway.guard.detectors.ip_addresses import IpAddresses
from services.gateway.guard.detectors.national_ids import NationalIds
from services.gateway.guard.detectors.persons import Persons
from services.gateway.guard.detectors.phones import Phones
from services.gateway.guard.detectors.provider_tokens import ProviderTokens
from services.gateway.guard.hit import Hit, settle
from services.gateway.guard.sensitive import Sensitive
from services.gateway.guard.visible import Visible
from services.prompt.folding import fold

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


_PLAIN = str.maketrans("\u00a0\u2007\u2009\u202f\u2010\u2011\u2012\u2013", "    ----")
"""Blanks and hyphens of print, of which texts from HTML, Word and PDF are full, as the ones that are typed."""


class Detector(Protocol):
    """Finds values of one kind. Safe to be shared by threads."""

    @property
    def name(self) -> str:
        """What logs and figures call it."""
        ...

    def find(self, text: str) -> Iterable[Hit]:
        """Where they stand. Except for secrets, a value is not a part of a longer word: see `is_whole`."""
        ...


class DetectorError(Exception):
    """A detector could not look at a text. Says which one and how, never what it was looking at."""

    def __init__(self, detector: str, cause: str) -> None:
        super().__init__(f"{detector}: {cause}")
        self.detector = detector
        """Its name."""
        self.cause = cause
        """Type of what it raised."""


class Detectors(Protocol):
    """Finds values of all types. Safe to be shared by threads."""

    def find(self, text: str) -> list[Sensitive]:
        """The different values of a text, longest first. Raises DetectorError where a detector fails."""
        ...


class AllDetectors:
    """Detectors of which each has its say; where one fails nothing is found, because something may be missing."""

    def __init__(self, detectors: Sequence[Detector]) -> None:
        self.detectors = tuple(detectors)
        """In the order in which they are asked."""

    def find(self, text: str) -> list[Sensitive]:
        """As `Detectors` says."""
        shown = Visible.of(text).text
        folded = fold(shown).translate(_PLAIN)
        hits = settle(hit for detector in self.detectors for hit in _ask(detector, folded))
        values = {shown[start:end]: kind for start, end, kind in reversed(hits)}
        found = [Sensitive(kind, value) for value, kind in values.items()]
        return sorted(found, key=lambda sensitive: (-len(sensitive.text), sensitive.text))


def default_detectors() -> AllDetectors:
    """All that scic has.

    Takes up to four seconds where it never ran, since rules are compiled then: build it once, off the event loop.
    """
    return AllDetectors(
        [
            ProviderTokens(),
            Credentials(),
            Cards(),
            Ibans(),
            NationalIds(),
            Emails(),
            Phones(),
            IpAddresses(),
            Persons(),
        ]
    )


def _ask(detector: Detector, text: str) -> list[Hit]:
    try:
        return list(detector.find(text))
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not pass for "nothing found"
        # Not chained: messages of parsers quote the text.
        raise DetectorError(detector.name, type(error).__name__) from None
