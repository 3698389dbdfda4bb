"""Secrets that are known by their form: tokens of providers, private keys, passwords in URLs."""

import re
from collections.abc import Iterator

from kingfisher_sdk import DetectionScanner, Rules

from services.gateway.guard.hit import Hit
from services.gateway.guard.policy import SensitiveType

_ENDS = re.compile(rb"[,:;&|<>()\[\]{}!?]|\.(?=\s|\Z)")


class ProviderTokens:
    """The rules of Kingfisher, of which there are several hundred. Nothing is asked over the network."""

    name = "provider_token"

    def __init__(self) -> None:
        # A text must not talk the guard out of looking: `# gitleaks:allow` and the like count for nothing.
        self._scanner = DetectionScanner(Rules(), inline_ignores=False, markup_context=False, cli_match_semantics=False)

    def find(self, text: str) -> Iterator[Hit]:
        """Where they stand."""
        encoded = text.encode()
        # Many rules want a blank or a quote behind a token, as in settings. In prose a comma follows, in a URL an `&`.
        yield from self._scan(encoded)
        yield from self._scan(_ENDS.sub(b" ", encoded))

    def _scan(self, encoded: bytes) -> Iterator[Hit]:
        for finding in self._scanner.scan(encoded):
            # Findings that are not visible are half of a pair whose other half is missing; `Credentials` sees to them.
            # Whole JSON objects are no secrets: each of their values is looked at by itself.
            if finding.visible and not finding.secret.startswith("{"):
                yield self._hit(encoded, finding.location["start_offset"], finding.location["end_offset"])

    @staticmethod
    def _hit(encoded: bytes, start: int, end: int) -> Hit:
        """The hit that a range of bytes is."""
        first = len(encoded[:start].decode())
        return Hit(first, first + len(encoded[start:end].decode()), SensitiveType.SECRET)
