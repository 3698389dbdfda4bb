"""Names of records: ULIDs (https://github.com/ulid/spec) in lower case, so that names sort as the records came."""

import time
from collections.abc import Callable
from random import Random

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_RANDOM = Random()  # noqa: S311 - a name need not be a secret
_TIME_CHARACTERS = 10
_RANDOM_CHARACTERS = 16


def new_record_id(clock: Callable[[], float] = time.time, random: Random | None = None) -> str:
    """A new name, 26 characters: milliseconds of `clock` (seconds since 1970), then 80 random bits.

    `random`: by default one that the operating system has seeded: it is asked once, and not for each name.
    """
    bits = (random or _RANDOM).getrandbits(80)
    return _base32(int(clock() * 1000), _TIME_CHARACTERS) + _base32(bits, _RANDOM_CHARACTERS)


def first_record_id(milliseconds: int) -> str:
    """The least name of a moment: whatever was recorded before it has a lesser one."""
    return _base32(milliseconds, _TIME_CHARACTERS) + _ALPHABET[0] * _RANDOM_CHARACTERS


def milliseconds_of(record_id: str) -> int:
    """The moment of a name, in milliseconds since 1970."""
    milliseconds = 0
    for character in record_id[:_TIME_CHARACTERS]:
        milliseconds = milliseconds << 5 | _ALPHABET.index(character)
    return milliseconds


def _base32(number: int, length: int) -> str:
    """Crockford's base 32, the highest digit first; `length` is even."""
    return "".join([_PAIRS[number >> bits & 1023] for bits in range(5 * length - 10, -1, -10)])
