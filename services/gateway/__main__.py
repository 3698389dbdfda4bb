"""Runs the gateway: `python -m services.gateway`."""

from services.chassis.server import serve
from services.chassis.settings import settings_or_exit
from services.gateway import app, worker_app
from services.gateway.settings import GatewaySettings

_ROLES = {"gateway": app.build, "worker": worker_app.build}

if __name__ == "__main__":
    settings = settings_or_exit(GatewaySettings)
    serve(_ROLES[settings.role](settings), settings)
