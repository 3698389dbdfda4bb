"""Which version answers which requests: a label's shares, dealt out so that as few requests as can be change sides.

Requests fall into 10,000 buckets by a hash, and each bucket belongs to a variant. Cut into intervals by the cumulated
shares, buckets would change hands between variants whose shares stay; so a label keeps who has which. A variant gives
buckets up only where its share shrinks, and takes only what others gave up: a conversation that a growing canary
answers goes on with it.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate, groupby

from scic.gateway.v1 import profile_service_pb2 as pb

_BUCKETS = 10_000
"""Shares have two decimals of a percent."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A label, and whose the buckets are."""

    label: pb.Label

    runs: tuple[tuple[int, int], ...]
    """Buckets in a row that belong to one variant: its index in the label, and how many they are."""

    ends: tuple[int, ...]
    """Where each run ends: the cumulated counts."""

    @property
    def main(self) -> pb.Variant:
        """The variant with the largest share, the first of equal ones."""
        return max(self.label.variants, key=lambda variant: variant.percent)

    def choose(self, tenant: str, unit: str) -> pb.Variant:
        """The variant that answers a tenant's conversation or request; one that names the tenant wins."""
        for variant in self.label.variants:
            if tenant in variant.tenants:
                return variant
        bucket = _bucket(tenant, self.label.name, self.label.label, unit)
        index, _ = self.runs[bisect_right(self.ends, bucket)]
        return self.label.variants[index]


def placement(label: pb.Label, runs: Iterable[tuple[int, int]]) -> Placement:
    """A label with the runs that were kept of it. Raises ValueError where they are not those of all buckets."""
    kept = tuple((index, count) for index, count in runs)
    ends = tuple(accumulate(count for _, count in kept))
    if ends[-1:] != (_BUCKETS,):
        raise ValueError("these are not the runs of all buckets")
    return Placement(label, kept, ends)


def place(label: pb.Label, before: Placement | None) -> Placement:
    """Deals the buckets out anew: each variant keeps those that it had, as far as its share goes."""
    wanted = dict(enumerate(_counts([variant.percent for variant in label.variants])))
    owners: list[int | None] = []
    for had in _owners(label, before):
        if had is None or not wanted[had]:
            owners.append(None)
        else:
            wanted[had] -= 1
            owners.append(had)
    spare = (index for index, count in wanted.items() for _ in range(count))
    dealt = (next(spare) if owner is None else owner for owner in owners)
    return placement(label, ((index, sum(1 for _ in run)) for index, run in groupby(dealt)))


def _owners(label: pb.Label, before: Placement | None) -> Sequence[int | None]:
    """For each bucket the variant of `label` whose version had it before."""
    if before is None:
        return [None] * _BUCKETS
    indexes = {variant.version: index for index, variant in enumerate(label.variants)}
    versions = [variant.version for variant in before.label.variants]
    return [indexes.get(versions[index]) for index, count in before.runs for _ in range(count)]


def _counts(percents: Sequence[float]) -> list[int]:
    """Buckets of each share; what rounding leaves over, or lacks, is the largest one's."""
    counts = [round(percent * _BUCKETS / 100) for percent in percents]
    counts[counts.index(max(counts))] += _BUCKETS - sum(counts)
    return counts


def _bucket(*parts: str) -> int:
    digest = blake2b("/".join(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % _BUCKETS
