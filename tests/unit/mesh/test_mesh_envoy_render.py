"""Rendering replaces addresses and ports, and nothing else."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from scic.mesh.envoy import Address, render

ROOT = Path(__file__).parents[3]
STAGES = ("selector", "compressor", "composer")
NAMES = {"edge": (("gateway", "gateway_page"), ("edge", "ops")), "sidecar": (STAGES, (*STAGES, "ops"))}

GATEWAYS = {"gateway": [("h", 1)], "gateway_page": [("h", 2)]}

addresses = st.tuples(st.sampled_from(["127.0.0.1", "10.0.0.7", "some-host"]), st.integers(1, 65_535))


def without_addresses(value: Any) -> Any:
    """The configuration with every address blanked, and one endpoint a cluster."""
    if isinstance(value, dict):
        if "socket_address" in value:
            return {**value, "socket_address": None}
        return {key: without_addresses(item) for key, item in value.items()}
    if isinstance(value, list):
        items = [without_addresses(item) for item in value]
        return items[:1] if items and isinstance(items[0], dict) and "endpoint" in items[0] else items
    return value


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=10)
@given(data=st.data(), admin_port=st.integers(1, 65_535))
def test_all_but_addresses_stays_as_shipped(name: str, data: st.DataObject, admin_port: int) -> None:
    clusters, listener_names = NAMES[name]
    endpoints = {cluster: data.draw(st.lists(addresses, min_size=1, max_size=4)) for cluster in clusters}
    listeners = {listener: data.draw(addresses) for listener in listener_names}
    shipped = ROOT / "envoy" / f"{name}.yaml"

    text = render(shipped, endpoints, listeners, admin_port)
    rendered = yaml.safe_load(text)

    assert without_addresses(rendered) == without_addresses(copy.deepcopy(yaml.safe_load(shipped.read_text())))
    assert found_endpoints(rendered) == {**endpoints, "admin": [("127.0.0.1", admin_port)]}
    assert {
        listener["name"]: address_of(listener["address"]) for listener in rendered["static_resources"]["listeners"]
    } == listeners
    assert address_of(rendered["admin"]["address"]) == ("127.0.0.1", admin_port)


def found_endpoints(config: dict[str, Any]) -> dict[str, list[Address]]:
    return {
        cluster["name"]: [
            address_of(host["endpoint"]["address"])
            for group in cluster["load_assignment"]["endpoints"]
            for host in group["lb_endpoints"]
        ]
        for cluster in config["static_resources"]["clusters"]
    }


def address_of(address: dict[str, Any]) -> Address:
    return address["socket_address"]["address"], address["socket_address"]["port_value"]


@pytest.mark.parametrize(
    ("endpoints", "listeners", "says"),
    [
        (
            {"gateway": [("h", 1)]},
            {"edge": ("h", 1), "ops": ("h", 2)},
            r"clusters \['gateway', 'gateway_page'\], but addresses came for \['gateway'\]",
        ),
        ({**GATEWAYS, "typo": [("h", 1)]}, {"edge": ("h", 1), "ops": ("h", 2)}, "typo"),
        (
            GATEWAYS,
            {"edge": ("h", 1)},
            r"listeners \['edge', 'ops'\], but addresses came for \['edge'\]",
        ),
    ],
    ids=["cluster left out", "unknown cluster", "listener left out"],
)
def test_a_name_too_many_or_too_few_is_an_error(
    endpoints: dict[str, list[Address]], listeners: dict[str, Address], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        render(ROOT / "envoy" / "edge.yaml", endpoints, listeners, 9901)


@pytest.mark.parametrize(
    ("name", "cluster", "host", "port"),
    [
        ("edge", "gateway", "gateway", 50051),
        ("edge", "gateway_page", "gateway", 9151),
        ("sidecar", "selector", "selector", 50052),
        ("sidecar", "compressor", "compressor", 50053),
        ("sidecar", "composer", "composer", 50054),
    ],
)
def test_as_shipped_a_cluster_is_a_kubernetes_service(name: str, cluster: str, host: str, port: int) -> None:
    config = yaml.safe_load((ROOT / "envoy" / f"{name}.yaml").read_text())
    assert found_endpoints(config)[cluster] == [(host, port)]
