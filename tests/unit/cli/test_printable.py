"""What a stranger wrote moves no cursor and names no window."""

import pytest

from scic.cli.printable import escape, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("\x1b]0;owned\x07", "\ufffd]0;owned\ufffd", id="the window's name"),
        pytest.param("\x1b[2J", "\ufffd[2J", id="the screen"),
        pytest.param("\x9b2J\x08\r", "\ufffd2J\ufffd\ufffd", id="one byte, steps back"),
        pytest.param("a\tb\nc é 東京", "a\tb\nc é 東京", id="what texts are made of"),
    ],
)
def test_control_characters_are_marks(text, shown):
    assert printable(text) == shown


def test_markup_is_text():
    assert escape("[red]\x1b") == "\\[red]\ufffd"
