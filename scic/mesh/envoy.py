"""Puts a laptop's or a test's addresses into the shipped Envoy configurations, and changes nothing else."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

Address = tuple[str, int]

ADMIN_CLUSTER = "admin"
"""The cluster by which the listener `ops` reaches the admin: it follows the admin's port."""


# libyaml where PyYAML was built with it, as its wheels are: ten times as fast, and a start renders twice.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def render(
    config_path: Path,
    endpoints: Mapping[str, Sequence[Address]],
    listeners: Mapping[str, Address],
    admin_port: int,
) -> str:
    """The configuration at `config_path`, as YAML, with other addresses.

    `endpoints` names every cluster except `admin`, `listeners` every listener, each as (host, port): one left out
    would keep an address that only means something in Kubernetes, so it is a ValueError, as is an unknown name.
    """
    text = config_path.read_text(encoding="utf-8")
    config = _without_aliases(yaml.load(text, Loader=_LOADER))  # noqa: S506 - it is the safe loader, in C or in Python
    resources = config["static_resources"]
    clusters = {cluster["name"]: cluster for cluster in resources["clusters"]}
    shipped_listeners = {listener["name"]: listener for listener in resources["listeners"]}
    _same_names("clusters", clusters.keys() - {ADMIN_CLUSTER}, endpoints.keys(), config_path)
    _same_names("listeners", shipped_listeners.keys(), listeners.keys(), config_path)

    config["admin"]["address"]["socket_address"]["port_value"] = admin_port
    for name, address in listeners.items():
        shipped_listeners[name]["address"]["socket_address"] = _socket_address(address)
    admin = config["admin"]["address"]["socket_address"]
    for name, addresses in {**endpoints, ADMIN_CLUSTER: [(admin["address"], admin_port)]}.items():
        groups = clusters[name]["load_assignment"]["endpoints"]
        template = groups[0]["lb_endpoints"][0]
        groups[:] = [{**groups[0], "lb_endpoints": [_endpoint(template, address) for address in addresses]}]
    return yaml.dump(config, Dumper=_DUMPER, sort_keys=False, width=120)


def _endpoint(template: dict[str, Any], address: Address) -> dict[str, Any]:
    endpoint = copy.deepcopy(template)
    endpoint["endpoint"]["address"]["socket_address"] = _socket_address(address)
    return endpoint


def _socket_address(address: Address) -> dict[str, Any]:
    host, port = address
    return {"address": host, "port_value": port}


def _without_aliases(value: Any) -> Any:
    """A copy in which no two places share an object, so that changing one changes one."""
    if isinstance(value, dict):
        return {key: _without_aliases(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_aliases(item) for item in value]
    return value


def _same_names(what: str, shipped: Iterable[str], given: Iterable[str], config_path: Path) -> None:
    if set(shipped) != set(given):
        raise ValueError(f"{config_path.name} has the {what} {sorted(shipped)}, but addresses came for {sorted(given)}")
