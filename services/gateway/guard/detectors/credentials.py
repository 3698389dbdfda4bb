"""Secrets that are known by what stands before them: `password = …`, `api_key: …`, `Authorization: Bearer …`."""

import math
import re
from collections import Counter
from collections.abc import Iterator

from services.gateway.guard.hit import Hit
from services.gateway.guard.policy import SensitiveType

_WORDS = (
    "password", "passwd", "passphrase", "passcode", "pwd", "secret", "token", "apikey", "api_key", "api-key", "api key",
    "access_key", "access-key", "accesskey", "accountkey", "account_key", "private_key", "private-key",
    "encryption_key", "signing_key", "auth_key", "authkey", "credential", "passwort", "kennwort", "contraseña",
    "bearer", "basic", "?key=", "&key=", "akia", "asia",
)  # fmt: skip
"""What every pattern below begins with, in lower case: a search for words is faster than one for patterns."""
_ASSIGNED = re.compile(
    r"(?:pass(?:word|wd|phrase|code)|pwd|secret|token|api[_ -]?key|access[_-]?key|account_?key|private[_-]key"
    r"|(?:encryption|signing|auth)_?key|credential|passwort|kennwort|contraseña)"
    r"(?:[_-](?:access[_-])?key|[_-]?(?:prod|live|dev|test|staging|[0-9]{1,2}))?"
    r"(?:[\"'`\]]{0,2}[ \t]{0,8}(?::=|=>|==|=|:|>)[ \t]{0,8}|[ ](?:is|lautet|ist)[: ]{1,2}"
    r"|[\"'],[ ]?(?=[\"'])|(?P<blank>[ ]))"
    r"(?:\"(?P<double>[^\"\n]{6,256})\"|'(?P<single>[^'\n]{6,256})'|`(?P<back>[^`\n]{6,256})`"
    r"|(?P<bare>[^\s\"'`,;<>(){}\[\]&|]{6,256}))",
    re.IGNORECASE,
)
_OPTION = re.compile(r"--[\w-]*\Z")
"""How an option of a command begins, whose value stands behind a blank."""
_HEADER = re.compile(r"(?:bearer|basic)[ ]{1,4}(?P<bare>[A-Za-z0-9._~+/=-]{16,2048})", re.IGNORECASE)
_QUERY = re.compile(r"[?&]key=(?P<bare>[A-Za-z0-9._~+/=-]{16,512})")
_AWS_ID = re.compile(r"(?P<bare>A(?:KI|SI)A[A-Z2-7]{16})(?!\w)")
_SAMPLE = re.compile(
    r"example|sample|dummy|placeholder|change[_-]?me|replace|redacted|your[_-]|my[_-]|insert|todo|fixme|foobar|"
    r"\.{3}|…|\*{3}|x{4}|1234567890|0{6}|abcdef|\$\{|\$\(|\{\{|%\(|<|^\$[A-Z_a-z]|^env[.:]|^vault:|^secrets?\.",
    re.IGNORECASE,
)
"""What documentation and templates write in the place of a secret, and where programs get one from."""
_NAME = re.compile(
    r"[._:/-]*[^\W\d_]+(?:[._:/-]+[^\W\d_]+)*[._:/-]*"
    r"|[A-Z0-9]+(?:_[A-Z0-9]+)+|[\d.,:-]+|[A-Za-z_][\w.]*[(\[].*"
)
"""Words, names of settings, numbers and calls: not secret by themselves."""
_LEAST_BITS = 2.5
"""Entropy of a character in a value that was made to be secret; `aaaa1111` has less."""
_BLANK_BEFORE = 24
"""Characters before a word in which its option begins."""


class Credentials:
    """Values that are assigned to a name which says that they are secret, keys of AWS, and headers of HTTP.

    Left out are what documentation writes in their place, calls and names, and values of letters alone.
    """

    name = "credential"

    def find(self, text: str) -> Iterator[Hit]:
        """Where they stand."""
        lowered = text.replace("İ", "I").lower()  # the one character whose lower case is longer
        for word in _WORDS:
            at = lowered.find(word)
            while at >= 0:
                yield from _read(text, at)
                at = lowered.find(word, at + 1)


def _read(text: str, at: int) -> Iterator[Hit]:
    """The secret that a word introduces or, for a key of AWS, begins."""
    assigned = _ASSIGNED.match(text, at)
    if assigned and assigned["blank"] and not _OPTION.search(text, max(0, at - _BLANK_BEFORE), at):
        assigned = None
    for found in (assigned, _HEADER.match(text, at), _QUERY.match(text, at), _AWS_ID.match(text, at)):
        if found and found.lastgroup:
            start, end = found.span(found.lastgroup)
            if found.lastgroup == "bare":
                end = start + len(text[start:end].rstrip(".:?"))
            if _is_secret(text[start:end]):
                yield Hit(start, end, SensitiveType.SECRET)


def _is_secret(value: str) -> bool:
    """Whether a value is neither a placeholder nor a word."""
    if not value or _SAMPLE.search(value) or _NAME.fullmatch(value) or any(one.isspace() for one in value):
        return False
    counts = Counter(value)
    bits = -sum(count / len(value) * math.log2(count / len(value)) for count in counts.values())
    return bits >= min(_LEAST_BITS, math.log2(len(value)) - 0.5)
