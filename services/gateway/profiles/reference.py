"""How a request names a profile: `NAME`, `NAME@LABEL`, `NAME@LABEL~N` or `NAME@VERSION`."""

import re
from dataclasses import dataclass
from functools import lru_cache

DEFAULT = "default"
"""The name that a request means where it names none."""

LIVE = "live"
"""The label that a name without one means."""

VERSION_PATTERN = re.compile(r"[0-9a-f]{16}")

_FORM = re.compile(
    r"(?P<name>[a-z][a-z0-9_-]{0,63})"
    r"(?:@(?:(?P<version>[0-9a-f]{16})|(?P<label>[a-z][a-z0-9_-]{0,31})(?:~(?P<back>[1-9][0-9]?))?))?"
)


@dataclass(frozen=True, slots=True)
class Reference:
    """A version of a profile, or the label that leads to one."""

    name: str

    label: str = ""
    """Empty where a version is named."""

    version: str = ""
    """Empty where a label is named."""

    back: int = 0
    """How many moves of the label ago: 1 is what it was before the last one."""


@lru_cache(1024)
def parse_reference(text: str) -> Reference | None:
    """What a text names; None where it has another form. Sixteen hexadecimal digits are a version, never a label."""
    form = _FORM.fullmatch(text)
    if form is None:
        return None
    if version := form["version"]:
        return Reference(form["name"], version=version)
    return Reference(form["name"], label=form["label"] or LIVE, back=int(form["back"] or 0))
