"""The deployment files as data: what the tests of this folder look at."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

import scic
from services.composer.settings import ComposerSettings
from services.compressor.settings import CompressorSettings
from services.gateway.settings import GatewaySettings
from services.selector.settings import SelectorSettings

if TYPE_CHECKING:
    from services.chassis.settings import ServeSettings

ROOT = Path(__file__).parents[3]
SETTINGS: dict[str, type[ServeSettings]] = {
    "gateway": GatewaySettings,
    "selector": SelectorSettings,
    "compressor": CompressorSettings,
    "composer": ComposerSettings,
}
SERVICES = tuple(SETTINGS)


def version() -> str:
    """The project's version."""
    return scic.__version__


@dataclass(frozen=True, slots=True)
class Stage:
    """What a Dockerfile's stage does, the stages it stands on included."""

    copied: tuple[Path, ...] = ()
    """Sources of COPY with SERVICE filled in: relative ones of the build context, absolute ones of other stages."""
    environment: dict[str, str] = field(default_factory=dict)
    entrypoint: str = ""
    user: str = ""


def image(service: str) -> Stage:
    """The final stage of the image of `service`, read from the Dockerfile."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("${SERVICE}", service)
    stages: dict[str, Stage] = {}
    stage, name = Stage(), ""
    for line in text.replace("\\\n", " ").splitlines():
        instruction, _, rest = line.strip().partition(" ")
        words = rest.split()
        if instruction == "FROM":
            base, _, name = rest.partition(" AS ")
            stage = stages.get(base, Stage())
        elif instruction == "COPY":
            origins = [stages[word.removeprefix("--from=")] for word in words if word.startswith("--from=")]
            sources = [Path(word) for word in words[:-1] if not word.startswith("--")]
            copied = (*stage.copied, *(path for origin in origins for path in origin.copied), *sources)
            stage = replace(stage, copied=tuple(dict.fromkeys(copied)))
        elif instruction == "ENV":
            stage = replace(stage, environment=stage.environment | dict(word.split("=", 1) for word in words))
        elif instruction == "ENTRYPOINT":
            stage = replace(stage, entrypoint=rest)
        elif instruction == "USER":
            stage = replace(stage, user=rest)
        stages[name] = stage
    return stage


def listening(settings: ServeSettings) -> dict[str, int | None]:
    """The ports that a service with these settings listens on for others, by the names that manifests give them."""
    page = {"page": settings.page_port} if isinstance(settings, GatewaySettings) else {}
    return {"grpc": settings.port, **page}


def envoy(name: str) -> dict[str, Any]:
    """A shipped Envoy configuration: `edge` or `sidecar`."""
    return dict(yaml.safe_load((ROOT / "envoy" / f"{name}.yaml").read_text(encoding="utf-8")))


def envoy_listeners(name: str) -> dict[str, tuple[str, int]]:
    """Its listeners by name, as (host, port)."""
    listeners = envoy(name)["static_resources"]["listeners"]
    return {listener["name"]: _address(listener["address"]) for listener in listeners}


def envoy_upstreams(name: str) -> set[tuple[str, int]]:
    """The (host, port) of everything it calls, its own admin excepted."""
    return {
        _address(endpoint["endpoint"]["address"])
        for cluster in envoy(name)["static_resources"]["clusters"]
        if cluster["name"] != "admin"
        for group in cluster["load_assignment"]["endpoints"]
        for endpoint in group["lb_endpoints"]
    }


def _address(address: dict[str, Any]) -> tuple[str, int]:
    socket_address = address["socket_address"]
    return socket_address["address"], socket_address["port_value"]
