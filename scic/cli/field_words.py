"""Fields of the API, and what is expected of them, in the words of the command line."""

import re
from types import MappingProxyType
from typing import Final

from scic.cli.duration import spoken
from scic.errors import ScicError

_OPTIONS: Final = MappingProxyType(
    {
        "max_tokens": "--max-tokens",
        "reserved_output_tokens": "--reserve",
        "conversation_id": "--conversation",
        "cache.max_age": "--max-age",
        "cache.min_corpus_version": "--min-version",
        "priority": "--priority",
        "max_attempts": "--attempts",
        "retention": "--retention",
        "request_id": "--request-id",
        "pin_patterns": "--pin",
    }
)
"""Options by the fields they set, as far as one does not simply read like the other."""

_PATTERNS: Final = MappingProxyType(
    {
        "^[a-z][a-z0-9_-]{0,63}$": "must be 1 to 64 lower-case letters, digits, '-' or '_', beginning with a letter",
        "^[a-z][a-z0-9_-]{0,31}$": "must be 1 to 32 lower-case letters, digits, '-' or '_', beginning with a letter",
        "^[a-z0-9][a-z0-9_-]{0,62}$": "must be 1 to 63 lower-case letters, digits, '-' or '_', beginning with no sign",
        "^[A-Za-z0-9_-]{1,64}$": "must be 1 to 64 letters, digits, '-' or '_'",
        "^[A-Za-z0-9._:-]{0,64}$": "must be at most 64 letters, digits, '.', '_', ':' or '-'",
        "^[0-9a-f]{16}$": "must be a version of 16 hexadecimal digits",
    }
)
"""The patterns of the API."""

_PATTERN: Final = re.compile("does not match regex pattern `(.*)`")
_RANGE: Final = re.compile(r"must be greater than (or equal to )?(-?[\d.]+s?) and less than or equal to (-?[\d.]+s?)")
_SECONDS: Final = re.compile(r"([0-9]+)s")


def in_words(expectation: str) -> str:
    """What is expected, without the API's patterns."""
    if pattern := _PATTERN.fullmatch(expectation):
        return _PATTERNS.get(pattern[1], expectation)
    if range_ := _RANGE.fullmatch(expectation):
        return f"must be {'' if range_[1] else 'above '}{_spoken(range_[2])} to {_spoken(range_[3])}"
    return expectation


def in_options(error: ScicError) -> str:
    """The sentence of an error, with the options of a command for the fields that it is about."""
    said = str(error)
    for field, expectation in error.field_violations:
        said = said.replace(f"{field}: {expectation}", f"{field}: {in_words(expectation)}")
        # A plan has its request in a field of its own.
        name = field.removeprefix("context.").partition("[")[0]
        if option := _OPTIONS.get(name):
            said = re.sub(rf"(?<![\w.])(?:context\.)?{re.escape(name)}(?:\[[0-9]+\])?(?![\w.])", option, said)
    return said


def _spoken(bound: str) -> str:
    seconds = _SECONDS.fullmatch(bound)
    return spoken(int(seconds[1])) if seconds else bound
