"""Runs the compressor: `python -m services.compressor`."""

from services.chassis.server import serve
from services.chassis.settings import settings_or_exit
from services.compressor.app import build
from services.compressor.settings import CompressorSettings

if __name__ == "__main__":
    settings = settings_or_exit(CompressorSettings)
    serve(build(settings), settings)
