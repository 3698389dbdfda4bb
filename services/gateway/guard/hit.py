"""Where a detector found something."""

from collections.abc import Iterable
from typing import NamedTuple

from services.gateway.guard.policy import SensitiveType

_RANK = {
    kind: rank
    for rank, kind in enumerate(
        (
            SensitiveType.SECRET,
            SensitiveType.PAYMENT_CARD,
            SensitiveType.IBAN,
            SensitiveType.NATIONAL_ID,
            SensitiveType.EMAIL,
            SensitiveType.PHONE,
            SensitiveType.IP_ADDRESS,
            SensitiveType.PERSON,
        )
    )
}
"""Where two detectors claim the same characters, the first of these types is right."""


class Hit(NamedTuple):
    """A half-open range of a text, in code points, and what it holds."""

    start: int
    end: int
    type: SensitiveType


def settle(hits: Iterable[Hit]) -> list[Hit]:
    """The hits without those that are a part of another, by their beginning.

    Digits inside an IBAN are no telephone number, so what lies inside another hit is dropped, unless it is a secret
    inside of something else: it is one wherever it stands. Hits that overlap in part become one, so that masking
    leaves no rest.
    """
    settled: list[Hit] = []
    secrets: list[Hit] = []
    for hit in sorted(hits, key=lambda hit: (hit.start, -hit.end, _RANK[hit.type])):
        last = settled[-1] if settled else None
        if last is None or hit.start >= last.end:
            settled.append(hit)
        elif hit.end > last.end:
            settled[-1] = Hit(last.start, hit.end, min(last.type, hit.type, key=_RANK.__getitem__))
        elif hit.type is SensitiveType.SECRET is not last.type:
            secrets.append(hit)
    return sorted([*settled, *secrets])
