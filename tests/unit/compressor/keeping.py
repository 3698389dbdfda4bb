"""What stays of a text when some of its units are kept."""

from services.compressor.rendering import Layout, render
from services.compressor.units import split_units

GAP = " [...] "
LONG = "a long text " * 22
"""Makes a compound or an object too long to be one unit."""


def layout_of(units):
    return Layout([unit.start for unit in units], [unit.end for unit in units], [int(unit.join) for unit in units])


def closure(units, chosen):
    """Indexes of the chosen units and of all that they need, in order."""
    kept, waiting = set(chosen), list(chosen)
    while waiting:
        for need in units[waiting.pop()].needs:
            if need not in kept:
                kept.add(need)
                waiting.append(need)
    return sorted(kept)


def shown(text, units, chosen):
    return render(text, layout_of(units), closure(units, chosen), GAP)


def keep(text, kind, *words):
    """What is shown of a text where the first unit with each of some words is kept."""
    units = split_units(text, kind)
    chosen = [
        next(index for index, unit in enumerate(units) if word in text[unit.start : unit.end] and not unit.frame)
        for word in words
    ]
    return shown(text, units, chosen)
