"""All commands in one place."""

import sys

import typer
from rich.console import Console

from scic.cli.connection import NoConnectionError
from scic.cli.context import context, plan
from scic.cli.ingest import ingest
from scic.cli.mesh import down, restart, status, up
from scic.errors import ScicError

EXIT_MISTAKE = 2
"""Nothing was done, for a reason that one sentence says."""

app = typer.Typer(
    name="scic",
    help="The best context that fits a token budget: select, compress, isolate, compose.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (up, status, restart, down, ingest, context, plan):
    app.command()(command)


def main() -> None:
    """Runs the command line; ends the process."""
    try:
        app()
    except (NoConnectionError, ScicError) as error:
        Console(stderr=True).print(f"scic: {error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(EXIT_MISTAKE)
    except KeyboardInterrupt:
        sys.exit(130)
