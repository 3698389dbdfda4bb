"""Puts values back where their pseudonyms stand."""

import re
from collections.abc import Iterable

from scic.type.v1 import guard_pb2

_TOKEN = re.compile(r"\[[A-Z]+(?:_[A-Z]+)*_[0-9]+\]")


def restore(answer: str, pseudonyms: Iterable[guard_pb2.Pseudonym]) -> str:
    """The answer with the values for which pseudonyms such as `[EMAIL_1]` stand.

    Only whole pseudonyms of the reply are replaced, and what was put in is not looked at again.
    """
    values = {pseudonym.pseudonym: pseudonym.value for pseudonym in pseudonyms}
    return _TOKEN.sub(lambda token: values.get(token[0], token[0]), answer)
