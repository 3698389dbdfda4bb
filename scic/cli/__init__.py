"""The `scic` command."""

from scic.cli.main import main

__all__ = ["main"]
