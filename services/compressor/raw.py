"""Prepares on the spot what came unprepared, without vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.chassis.logs import get_logger
from services.compressor.prepare import prepare
from services.compressor.units import Unit, split_units

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.compressor.passage import Passage
    from services.compressor.ports import TokenCounter
    from services.compressor.prepared import PassageSignals

_log = get_logger(__name__)


def cut_or_whole(text: str, kind: str) -> tuple[Sequence[Unit], bool]:
    """The units of a passage, and whether it could be cut; one that could not be is one unit: kept whole or dropped."""
    try:
        return split_units(text, kind), True
    except Exception as error:  # noqa: BLE001 - one source that cannot be read must not cost the others anything
        _log.error("splitting_failed", kind=kind, exc_info=error)
        return [Unit(0, len(text))], False


def prepare_raw(passage: Passage, encoding: TokenCounter) -> tuple[PassageSignals, bool]:
    """Its signals, and whether it could be cut."""
    units, cut = cut_or_whole(passage.text, passage.kind)
    return prepare(passage.title, passage.text, units, None, [encoding]), cut
