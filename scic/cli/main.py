"""All commands in one place."""

import sys
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from scic import __version__
from scic.cli.cache import cache
from scic.cli.compress import compress
from scic.cli.connection import NoConnectionError
from scic.cli.context import context, plan
from scic.cli.corpus import corpus
from scic.cli.ingest import ingest
from scic.cli.jobs import jobs
from scic.cli.ledger import ledger
from scic.cli.mesh import down, restart, status, up
from scic.cli.profiles import profiles
from scic.cli.remedies import sentence
from scic.errors import ScicError

EXIT_MISTAKE = 2
"""Nothing was done, for a reason that one sentence says."""

app = typer.Typer(
    name="scic",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # a mistake is told in one line that can be copied, not in a box that breaks paths
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"scic {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """The best context that fits a token budget: select, compress, isolate, compose."""


for command in (up, status, restart, down, ingest, context, plan, compress):
    app.command()(command)
for group in (corpus, profiles, ledger, jobs, cache):
    app.add_typer(group)


def main() -> None:
    """Runs the command line; ends the process."""
    try:
        app()
    except NoConnectionError as error:
        _fail(str(error))
    except ScicError as error:
        _fail(sentence(error))
    except UnicodeEncodeError:
        # What a shell passes on need not be text; no message can hold it.
        _fail("an argument has bytes that are not UTF-8")
    except KeyboardInterrupt:
        sys.exit(130)


def _fail(said: str) -> NoReturn:
    Console(stderr=True).print(f"scic: {said}", markup=False, highlight=False, soft_wrap=True)
    sys.exit(EXIT_MISTAKE)
