"""Fields of the API, and what is expected of them, in the words of the command line."""

import re
from collections.abc import Callable
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
"""Options by the fields that they set; a field that no sentence would be clearer without, as `question`, has none."""

_PATTERNS: Final = MappingProxyType(
    {
        "^[a-z][a-z0-9_-]{0,63}$": "must be 1 to 64 lower-case letters, digits, '-' or '_', beginning with a letter",
        "^[a-z][a-z0-9_-]{0,31}$": "must be 1 to 32 lower-case letters, digits, '-' or '_', beginning with a letter",
        "^[a-z0-9][a-z0-9_-]{0,62}$": "must be 1 to 63 lower-case letters, digits, '-' or '_', beginning with no sign",
        "^[A-Za-z0-9_-]{1,64}$": "must be 1 to 64 letters, digits, '-' or '_'",
        "^[A-Za-z0-9._-]{1,64}$": "must be 1 to 64 letters, digits, '.', '_' or '-'",
        "^[A-Za-z0-9._:-]{0,64}$": "must be at most 64 letters, digits, '.', '_', ':' or '-'",
        "^[A-Za-z0-9._@:/+-]{1,128}$": "must be 1 to 128 letters, digits, '.', '_', '@', ':', '/', '+' or '-'",
        "^[0-9a-f]{16}$": "must be a version of 16 hexadecimal digits",
        "^([0-9]{1,20}-[0-9]{1,20})?$": "must be a position, such as 1764194023000-0",
        r"^[^\x00-\x1f\x7f]*$": "must be without control characters",
    }
)
"""The patterns of the API."""

_PATTERN: Final = re.compile("does not match regex pattern `(.*)`")
_RANGE: Final = re.compile(r"must be greater than (or equal to )?(-?[\d.]+s?) and less than or equal to (-?[\d.]+s?)")
_WHOLE: Final = re.compile(r"-?[0-9]+")
_SECONDS: Final = re.compile(r"([0-9]+)s")


def in_words(expectation: str) -> str:
    """What is expected, without the API's patterns."""
    if pattern := _PATTERN.fullmatch(expectation):
        return _PATTERNS.get(pattern[1], expectation)
    if range_ := _RANGE.fullmatch(expectation):
        least, most = _bound(range_[2]), _bound(range_[3])
        return f"must be {least} to {most}" if range_[1] else f"must be above {least} and at most {most}"
    return expectation


def in_options(error: ScicError) -> str:
    """The sentence of an error, with the options of a command for the fields that it is about."""
    said = str(error)
    for field, expectation in error.field_violations:
        said = said.replace(f"{field}: {expectation}", f"{field}: {in_words(expectation)}")
    for field, _ in error.field_violations:
        # A plan has its request in a field of its own.
        name = field.removeprefix("context.").partition("[")[0]
        if option := _OPTIONS.get(name):
            said = re.sub(rf"(?<![\w.])(?:context\.)?{re.escape(name)}(?:\[([0-9]+)\])?(?![\w.])", _as(option), said)
    return said


def _as(option: str) -> Callable[[re.Match[str]], str]:
    """The option in the place of a field; one that can be given again with its number where it is not the first."""

    def put(place: re.Match[str]) -> str:
        return f"{option} (number {int(place[1]) + 1})" if place[1] and place[1] != "0" else option

    return put


def _bound(text: str) -> str:
    if seconds := _SECONDS.fullmatch(text):
        return spoken(int(seconds[1]))
    return f"{int(text):,}" if _WHOLE.fullmatch(text) else text
