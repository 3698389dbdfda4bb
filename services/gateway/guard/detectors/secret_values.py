"""Whether a value that a text calls secret is one."""

import math
import re
from collections import Counter
from typing import Final

_SAMPLE = re.compile(
    r"example|sample|dummy|placeholder|change[_-]?me|replace|redacted|your[_-]|my[_-]|insert|todo|fixme|foobar|"
    r"\.{3}|…|\*{3}|x{4}|1234567890|0{6}|abcdef|\$\{|\$\(|\{\{|%\(|<|^\$[A-Z_a-z]|^env[.:]|^vault:|^secrets?\.",
    re.IGNORECASE,
)
"""What documentation and templates write in the place of a secret, and where programs get one from."""
_RANDOM = re.compile(r"(?=[^A-Z]*[A-Z])(?=[^a-z]*[a-z])(?=\D*\d)[A-Za-z0-9+/]{40}={0,2}")
"""A key of AWS or another value of 30 octets: nobody makes one up, even where it says "EXAMPLE" in it."""
_NAME = re.compile(
    r"[._:/-]*[^\W\d_]+(?:[._:/-]+[^\W\d_]+)*[._:/-]*"
    r"|[A-Z0-9]+(?:_[A-Z0-9]+)+|[\d.,:-]+|[A-Za-z_][\w.]*[(\[].*|(?:m(?:in|ax)-)?\d+(?:-[^\W\d_]+)+"
    r"|[\w./~-]+\.(?:json|ya?ml|toml|txt|pem|key|crt|env)"
)
"""Words, names of settings and files, numbers, calls and measures such as `30-day`: not secret by themselves."""
_URL = re.compile(r"[a-z][a-z0-9+.-]*://|arn:", re.IGNORECASE)
"""How a URL begins. The password in one has its own detector."""
_PART: Final = r"(?:[^\W\d_]+\d{0,5}|\d+(?:T\d+)?[^\W\d_]*)"
_BETWEEN: Final = r"[._:/~+=@-]"
_PLAIN = re.compile(rf"{_BETWEEN}*{_PART}(?:{_BETWEEN}+{_PART})*{_BETWEEN}*")
"""Words and numbers, also one behind the other, between signs: `base64-encoded`, `~/.ssh/id_ed25519`, a time."""
_LEAST_BITS: Final = 2.5
"""Entropy of a character in a value that was made to be secret; `aaaa1111` has less."""
_LEAST_OF_A_KEY: Final = 8
_LEAST_OF_A_LONG_KEY: Final = 16


def is_secret(value: str) -> bool:
    """Whether a value is neither a placeholder nor a word, a name, a number or an address."""
    if not value or any(one.isspace() for one in value) or _NAME.fullmatch(value) or _URL.match(value):
        return False
    if _SAMPLE.search(value) and not _RANDOM.fullmatch(value):
        return False
    counts = Counter(value)
    bits = -sum(count / len(value) * math.log2(count / len(value)) for count in counts.values())
    return bits >= min(_LEAST_BITS, math.log2(len(value)) - 0.5)


def is_key(value: str) -> bool:
    """The same of a value that a program made: what words and numbers make up is none."""
    return len(value) >= _LEAST_OF_A_KEY and is_secret(value) and not _PLAIN.fullmatch(value)


def is_long_key(value: str) -> bool:
    """The same where hardly anything says that a key may follow."""
    return len(value) >= _LEAST_OF_A_LONG_KEY and is_key(value)
