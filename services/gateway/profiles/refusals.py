"""Refusals of names that nothing answers to."""

from collections.abc import Collection

from scic import errors

_MOST_NAMED = 20
"""Names that a refusal suggests: an error has little room."""

_MOST_IN_SENTENCE = 3
"""Mistakes that the sentence names."""


def unknown_profile(reference: str, names: Collection[str]) -> errors.ScicError:
    """The field `profile` of a request names nothing."""
    valid = ", ".join(sorted(names)[:_MOST_NAMED])
    return errors.UNKNOWN_PROFILE.error(
        f"profile is {reference[:64]!r}, which is not known; there are: {valid}, each with its labels and versions",
        metadata={"valid": valid},
        field_violations=[("profile", f"must be NAME, NAME@LABEL or NAME@VERSION of one of: {valid}")],
    )


def profile_not_found(field: str, reference: str) -> errors.ScicError:
    """A field names a version to look at, and there is none."""
    return errors.PROFILE_NOT_FOUND.error(
        f"{field} is {reference[:64]!r}, and the tenant has no such profile, label or version",
        field_violations=[(field, "must be NAME, NAME@LABEL, NAME@LABEL~N or NAME@VERSION of the tenant")],
    )


def refused(mistakes: Collection[tuple[str, str]]) -> errors.ScicError:
    """Fields break rules: the first ones stand in the sentence, all of them in the details."""
    named = "; ".join(f"{field}: {expectation}" for field, expectation in list(mistakes)[:_MOST_IN_SENTENCE])
    more = f"; and {len(mistakes) - _MOST_IN_SENTENCE} more" if len(mistakes) > _MOST_IN_SENTENCE else ""
    return errors.INVALID_FIELD.error(f"{named}{more}", field_violations=mistakes)
