"""Runs the selector: `python -m services.selector`."""

from services.chassis.server import serve
from services.chassis.settings import settings_or_exit
from services.selector.app import build
from services.selector.settings import SelectorSettings

if __name__ == "__main__":
    settings = settings_or_exit(SelectorSettings)
    serve(build(settings), settings)
