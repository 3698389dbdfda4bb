"""Words that nobody else says."""

import secrets
from itertools import count

_PROCESS = secrets.token_hex(8)
_numbers = count()


def unique_word() -> str:
    """A word that neither this nor any other process has said before; it can be guessed.

    For what is asked for once a request: a UUID each time takes ten times as long.
    """
    return f"{_PROCESS}{next(_numbers):x}"
