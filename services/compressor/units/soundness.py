"""Whether what is kept of code or JSON that parsed still parses."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from services.compressor.units.code import parses
from services.compressor.units.json_members import is_json
from services.compressor.units.unit import CODE_JOINS, JSON_JOINS, Join
from services.text.memo import Remembered

if TYPE_CHECKING:
    from services.compressor.rendering import Layout

_PARSES: Final = {join: Remembered(partial(parses, join=join), 1 << 13, longest=2_048) for join in CODE_JOINS}
"""Whether a text parses, by join. Questions about the same code mostly keep the same statements."""


def is_sound(shown: str, layout: Layout) -> bool:
    """Whether what is kept of a passage parses, where all of the passage did.

    Code and JSON in fences of a document are not looked at.

    Args:
        shown: what is kept, as `render` gives it.
        layout: the units of the passage.
    """
    joins = set(layout.joins)
    if not joins or not shown.strip():
        return True
    if joins <= JSON_JOINS:
        return is_json(shown)
    if len(joins) == 1 and joins <= CODE_JOINS:
        return _PARSES[Join(joins.pop())](shown)
    return True
