"""Runs the composer: `python -m services.composer`."""

from services.chassis.server import serve
from services.chassis.settings import settings_or_exit
from services.composer.app import build
from services.composer.settings import ComposerSettings

if __name__ == "__main__":
    settings = settings_or_exit(ComposerSettings)
    serve(build(settings), settings)
