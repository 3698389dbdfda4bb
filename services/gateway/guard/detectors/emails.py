"""Mail addresses."""

import re
from collections.abc import Iterator

from services.gateway.guard.hit import Hit
from services.gateway.guard.policy import SensitiveType

_LONGEST_LOCAL = 64
"""Characters before the @ (RFC 5321)."""
_LOCAL = re.compile(r"(?<!\w)\w[\w.+'%-]*\Z")
_DOMAIN = re.compile(r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}[^\W\d_]{2,24}(?![A-Za-z0-9_]|-\w)")
_USER_INFO = re.compile(r"://[^\s/@]*:\Z")
"""What stands before the password of a URL."""
_FILES = frozenset({"png", "jpg", "jpeg", "gif", "svg", "webp", "ico", "css", "js", "ts", "py", "json"})
"""`logo@2x.png` is a file."""


class Emails:
    """Local part and domain as they are in use; no quoted local parts, no address literals, no "at" in words."""

    name = "email"

    def find(self, text: str) -> Iterator[Hit]:
        """Where addresses stand. Looks left and right of each @, at most a known number of characters."""
        at = text.find("@")
        while at >= 0:
            # One character more than may be: a longer local part begins in the middle of a word, and is none.
            local = _LOCAL.search(text, max(0, at - _LONGEST_LOCAL - 1), at)
            domain = _DOMAIN.match(text, at + 1)
            if local and domain and not self._is_other(text, local, domain):
                yield Hit(local.start(), domain.end(), SensitiveType.EMAIL)
            at = text.find("@", at + 1)

    @staticmethod
    def _is_other(text: str, local: re.Match[str], domain: re.Match[str]) -> bool:
        """Whether it is a file's name, a Git remote such as `git@host.org:owner/name`, or the password of a URL."""
        remote = text.startswith(":", domain.end()) and local[0] == "git"
        user_info = _USER_INFO.search(text, max(0, local.start() - _LONGEST_LOCAL), local.start())
        return remote or bool(user_info) or domain[0].rpartition(".")[2].lower() in _FILES
