"""Texts of strangers on a terminal: nothing in them may move its cursor, name its window or switch it."""

import re

from rich.markup import escape as escape_markup

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """The text with a mark in the place of each control character but tab and line end."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def escape(text: str) -> str:
    """The same, in a form that rich takes for text and not for markup."""
    return escape_markup(printable(text))
