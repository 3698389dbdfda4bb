"""Where a passage may be cut, and what has to stay together."""

from services.compressor.units.split import split_units
from services.compressor.units.unit import Join, Unit

__all__ = ["Join", "Unit", "split_units"]
