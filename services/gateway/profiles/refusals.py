"""Refusals of names that nothing answers to."""

from collections.abc import Collection, Mapping, Sequence

from scic import errors
from services.gateway.profiles.reference import Reference

_MOST_NAMED = 20
"""Names that a refusal suggests: an error has little room."""

_MOST_IN_SENTENCE = 3
"""Mistakes that the sentence names."""

Moves = Mapping[str, Sequence[int]]
"""The labels of a name, each with the generations that are kept of it."""


def unknown_profile(reference: str, wanted: Reference | None, names: Collection[str], moves: Moves) -> errors.ScicError:
    """The field `profile` of a request names nothing; `wanted` is what it means, None where it has another form."""
    valid = _some(names)
    if wanted is not None and wanted.back and wanted.label in moves:
        sentence = f"a request follows {wanted.name}@{wanted.label} as it is now; name the version that it was before"
    else:
        sentence = _absence(reference, wanted, names, moves)
    return errors.UNKNOWN_PROFILE.error(
        sentence,
        metadata={"valid": valid},
        field_violations=[("profile", f"must be NAME, NAME@LABEL or NAME@VERSION of one of: {valid}")],
    )


def profile_not_found(
    field: str, reference: str, wanted: Reference | None, names: Collection[str], moves: Moves
) -> errors.ScicError:
    """A field names a version to look at, and there is none; `wanted` is as in `unknown_profile`."""
    return errors.PROFILE_NOT_FOUND.error(
        _absence(reference, wanted, names, moves),
        field_violations=[(field, "must be NAME, NAME@LABEL, NAME@LABEL~N or NAME@VERSION of the tenant")],
    )


def shared_profile_answers(field: str, name: str) -> errors.ScicError:
    """A field names what the tenant has not published, and what another tenant shares answers in its place."""
    return errors.PROFILE_NOT_FOUND.error(
        f"the tenant has no profile {name!r} of its own; the one that all tenants share answers",
        field_violations=[(field, "must be of the tenant")],
    )


def refused(mistakes: Collection[tuple[str, str]]) -> errors.ScicError:
    """Fields break rules: the first ones stand in the sentence, all of them in the details."""
    named = "; ".join(f"{field}: {expectation}" for field, expectation in list(mistakes)[:_MOST_IN_SENTENCE])
    more = f"; and {len(mistakes) - _MOST_IN_SENTENCE} more" if len(mistakes) > _MOST_IN_SENTENCE else ""
    return errors.INVALID_FIELD.error(f"{named}{more}", field_violations=mistakes)


def _absence(reference: str, wanted: Reference | None, names: Collection[str], moves: Moves) -> str:
    """What there is not, and what there is instead."""
    if wanted is None:
        return (
            f"{reference[:64]!r} is not NAME, NAME@LABEL, NAME@LABEL~N or NAME@VERSION of a profile; "
            f"there are: {_some(names)}"
        )
    if wanted.name not in names:
        return f"there is no profile {wanted.name!r}; there are: {_some(names)}"
    return _absence_below(wanted, moves)


def _absence_below(wanted: Reference, moves: Moves) -> str:
    """The same for a name that there is."""
    name, label = wanted.name, wanted.label
    if not moves:
        return f"nothing was published as {name}, so it has neither labels nor versions"
    if wanted.version:
        return f"{name} has no version {wanted.version}; it may have been removed, as old ones without a label are"
    if label not in moves:
        return f"{name} has no label {label!r}; there are: {_some(moves)}"
    kept = max(moves[label]) - min(moves[label])
    if not kept:
        return f"{name}@{label} was nothing before: it was never moved"
    return f"{name}@{label}~{wanted.back} is not kept; the oldest that is: ~{kept}"


def _some(names: Collection[str]) -> str:
    return ", ".join(sorted(names)[:_MOST_NAMED])
