"""compose.yaml fits the images, the settings and the shipped Envoy files."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from services.chassis.settings import ServeSettings, load_settings
from services.gateway.settings import GatewaySettings
from tests.unit.k8s.files import ROOT, SERVICES, SETTINGS, envoy_listeners, envoy_upstreams, image, listening, version

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
CONTAINERS: dict[str, dict[str, Any]] = COMPOSE["services"]


def _settings(service: str, monkeypatch: pytest.MonkeyPatch) -> ServeSettings:
    for name, value in (image(service).environment | CONTAINERS[service].get("environment", {})).items():
        monkeypatch.setenv(name, value)
    return load_settings(SETTINGS[service])


def _seconds(duration: str) -> float:
    return float(duration.removesuffix("s"))


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_starts_with_its_settings_and_is_given_time_to_stop(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = _settings(service, monkeypatch)
    assert settings.host == "0.0.0.0"
    assert CONTAINERS[service]["build"]["args"] == {"SERVICE": service}
    assert f":{settings.metrics_port}/healthz" in CONTAINERS[service]["healthcheck"]["test"][-1]
    assert _seconds(CONTAINERS[service]["stop_grace_period"]) > settings.drain_seconds + settings.grace_seconds


@pytest.mark.parametrize("name", ["edge", "sidecar"])
def test_envoy_runs_the_shipped_file_as_it_is(name: str) -> None:
    container = CONTAINERS[name]
    assert container["volumes"] == [f"./envoy/{name}.yaml:/etc/envoy/{name}.yaml:ro"]
    assert container["command"][:3] == ["envoy", "--config-path", f"/etc/envoy/{name}.yaml"]


@pytest.mark.parametrize("name", ["edge", "sidecar"])
def test_every_host_that_envoy_calls_resolves(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {service: _settings(service, monkeypatch) for service in SERVICES}
    for host, port in envoy_upstreams(name):
        assert port in listening(settings[host]).values()
        owns_network = [c for c, spec in CONTAINERS.items() if "network_mode" not in spec and host in _names(c, spec)]
        assert len(owns_network) == 1


def _names(container: str, spec: dict[str, Any]) -> list[str]:
    return [container, *spec.get("networks", {}).get("default", {}).get("aliases", [])]


def test_the_gateway_shares_the_loopback_its_sidecar_listens_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert CONTAINERS["gateway"]["network_mode"] == "service:sidecar"
    settings = _settings("gateway", monkeypatch)
    assert isinstance(settings, GatewaySettings)
    listeners = envoy_listeners("sidecar")
    for stage, address in (
        ("selector", settings.selector_address),
        ("compressor", settings.compressor_address),
        ("composer", settings.composer_address),
    ):
        assert address == "{}:{}".format(*listeners[stage])


def test_profiles_and_the_ledger_are_kept_in_a_volume(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _settings("gateway", monkeypatch)
    assert isinstance(settings, GatewaySettings)
    assert settings.storage_url is not None
    folder = settings.storage_url.get_secret_value().removeprefix("file://")
    assert [volume.partition(":")[2] for volume in CONTAINERS["gateway"]["volumes"]] == [folder]
    assert folder in (ROOT / "Dockerfile").read_text(encoding="utf-8"), "a new volume takes over its owner"


def test_clients_reach_the_edge_and_nothing_else() -> None:
    published = {name: spec["ports"] for name, spec in CONTAINERS.items() if "ports" in spec}
    _, port = envoy_listeners("edge")["edge"]
    assert published == {"edge": [f"127.0.0.1:{port}:{port}"]}


@pytest.mark.parametrize("container", CONTAINERS)
def test_what_a_container_refers_to_exists_and_is_confined(container: str) -> None:
    spec = CONTAINERS[container]
    assert set(spec.get("depends_on", {})) <= set(CONTAINERS)
    for name, condition in spec.get("depends_on", {}).items():
        assert condition["condition"] != "service_healthy" or "healthcheck" in CONTAINERS[name]
    assert set(spec.get("secrets", [])) <= set(COMPOSE["secrets"])
    for volume in spec.get("volumes", []):
        source = volume.partition(":")[0]
        assert (ROOT / source).is_file() if source.startswith("./") else source in COMPOSE["volumes"]
    assert (spec["read_only"], spec["cap_drop"]) == (True, ["ALL"])


def test_the_version_of_our_images_is_the_projects() -> None:
    ours = {CONTAINERS[service]["image"] for service in SERVICES}
    assert ours == {f"scic-{service}:{version()}" for service in SERVICES}
