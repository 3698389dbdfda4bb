"""A text that is named on the command line."""

import sys
from pathlib import Path

import typer


def read_text(file: str) -> str:
    """What stands in a file, or `-` for standard input; says what is wrong with FILE."""
    try:
        return sys.stdin.buffer.read().decode() if file == "-" else Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise typer.BadParameter(f"{file}: {(error.strerror or str(error)).lower()}", param_hint="FILE") from None
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{file}: not UTF-8 at byte {error.start}", param_hint="FILE") from None


def name_of(file: str) -> str:
    """What it is called where something is wrong with it."""
    return "standard input" if file == "-" else file
