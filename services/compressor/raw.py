"""Prepares on the spot what came unprepared, without vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.chassis.logs import get_logger
from services.compressor.prepare import prepare
from services.compressor.units import Unit, split_units

if TYPE_CHECKING:
    from services.compressor.passage import Passage
    from services.compressor.ports import TokenCounter
    from services.compressor.prepared import PassageSignals

_log = get_logger(__name__)


def prepare_raw(passage: Passage, encoding: TokenCounter) -> tuple[PassageSignals, bool]:
    """Its signals, and whether it could be cut; one that could not be is one unit: kept whole or dropped."""
    try:
        units, cut = split_units(passage.text, passage.kind), True
    except Exception as error:  # noqa: BLE001 - one source that cannot be read must not cost the others anything
        _log.error("splitting_failed", kind=passage.kind, exc_info=error)
        units, cut = [Unit(0, len(passage.text))], False
    return prepare(passage.title, passage.text, units, None, [encoding]), cut
