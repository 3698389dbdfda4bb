"""Runs the gateway: `python -m services.gateway`."""

from services.chassis.server import serve
from services.chassis.settings import settings_or_exit
from services.gateway.app import build
from services.gateway.settings import GatewaySettings

if __name__ == "__main__":
    settings = settings_or_exit(GatewaySettings)
    serve(build(settings), settings)
