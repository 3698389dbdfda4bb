"""Patterns of what compression must not maim, as settings and profiles give them."""

import re2

MOST_PATTERNS = 16
"""That one compression takes, the server's, the profile's and the request's together."""


def expectation_of(pattern: str) -> str:
    """What is expected of a pattern, in words; empty where it is met."""
    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error:
        return "must be an RE2 pattern (https://github.com/google/re2/wiki/Syntax)"
    return "must not match empty text" if compiled.search("") is not None else ""
