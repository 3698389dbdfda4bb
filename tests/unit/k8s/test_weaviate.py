"""Weaviate as the store: in production's overlay and in compose.weaviate.yaml."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from scic.mesh.weaviate import VERSION, server_environment
from services.chassis.settings import load_settings
from services.selector.settings import SelectorSettings
from tests.unit.k8s.files import ROOT, image
from tests.unit.k8s.manifests import Cluster, Manifest, render, secret_names

if TYPE_CHECKING:
    from collections.abc import Mapping

PROD = Cluster(render("overlays/prod"))
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
OVERRIDE: dict[str, Any] = yaml.safe_load((ROOT / "compose.weaviate.yaml").read_text(encoding="utf-8"))
HTTP, GRPC = 8080, 50051


def variables(pod: Manifest, container: str) -> dict[str, Any]:
    """Values of a container's variables; for a secret's, its name and key."""
    (found,) = [c for c in pod["spec"]["containers"] if c["name"] == container]
    return {v["name"]: v.get("value") or v["valueFrom"].get("secretKeyRef") for v in found["env"]}


def selector_settings(variables: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> SelectorSettings:
    for name in image("selector").environment:
        monkeypatch.delenv(name, raising=False)
    for name, value in (image("selector").environment | dict(variables)).items():
        monkeypatch.setenv(name, value if isinstance(value, str) else "redis://a-secret:6379/0")
    return load_settings(SelectorSettings)


def test_productions_selector_keeps_nothing_and_scales() -> None:
    spec = PROD.of("Deployment")["selector"]["spec"]
    assert "replicas" not in spec
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert PROD.of("HorizontalPodAutoscaler")["selector"]["spec"]["minReplicas"] >= 2
    assert PROD.of("PodDisruptionBudget")["selector"]["spec"]["maxUnavailable"] == 1
    assert PROD.of("PersistentVolumeClaim") == {}
    assert [volume["name"] for volume in PROD.pod("selector")["spec"]["volumes"]] == ["tmp"]


def test_productions_selector_starts_with_its_settings_and_finds_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = selector_settings(variables(PROD.pod("selector"), "selector"), monkeypatch)
    assert settings.store == "weaviate"
    ports = {port["name"]: port["port"] for port in PROD.of("Service")["weaviate"]["spec"]["ports"]}
    assert settings.weaviate_url == f"http://weaviate:{ports['http']}"
    assert settings.weaviate_grpc_port == ports["grpc"]
    assert settings.redis_url is not None


def test_server_and_selector_read_one_key_from_a_secret_that_the_readme_names() -> None:
    key = {"name": "scic-weaviate", "key": "api-key"}
    server = variables(PROD.pod("weaviate"), "weaviate")
    assert server["AUTHENTICATION_APIKEY_ALLOWED_KEYS"] == server["CLUSTER_BASIC_AUTH_PASSWORD"] == key
    assert variables(PROD.pod("selector"), "selector")["SCIC_SELECTOR_WEAVIATE_API_KEY"] == key
    readme = (ROOT / "k8s/README.md").read_text(encoding="utf-8")
    for name in {*secret_names(PROD.pod("selector")), *secret_names(PROD.pod("weaviate"))}:
        assert f"secret generic {name}" in readme
    assert PROD.of("Secret") == {}


@pytest.mark.parametrize(
    ("caller", "called", "port", "allowed"),
    [
        pytest.param("selector", "weaviate", HTTP, True, id="selector-http"),
        pytest.param("selector", "weaviate", GRPC, True, id="selector-grpc"),
        pytest.param("gateway", "weaviate", GRPC, False, id="past-the-selector"),
        pytest.param("compressor", "weaviate", HTTP, False, id="another-stage"),
        pytest.param("selector", "weaviate", 7101, False, id="internal-api"),
        pytest.param("weaviate", "selector", 50052, False, id="weaviate-calls-nobody"),
    ],
)
def test_who_may_call_whom(caller: str, called: str, port: int, *, allowed: bool) -> None:
    leaves, enters = PROD.passes(caller, "Egress", called, port), PROD.passes(called, "Ingress", caller, port)
    assert (leaves and enters) == allowed


def test_the_selector_reaches_redis_and_names_and_prometheus_reaches_weaviate() -> None:
    assert PROD.passes("selector", "Egress", "redis", 6379)
    assert PROD.passes("selector", "Egress", "kube-dns", 53)
    port = int(PROD.pod("weaviate")["metadata"]["annotations"]["prometheus.io/port"])
    assert PROD.passes("weaviate", "Ingress", "prometheus", port)


def test_a_cluster_at_hand_takes_the_place_of_the_component_as_the_readme_shows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    readme = (ROOT / "k8s/README.md").read_text(encoding="utf-8")
    (patches,) = re.findall(r"^```\n(patches:\n.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    (patch,) = yaml.safe_load(patches)["patches"]
    shown = yaml.safe_load(patch["patch"])
    (container,) = shown["spec"]["template"]["spec"]["containers"]
    changed = {variable["name"]: variable["value"] for variable in container["env"]}
    before = variables(PROD.pod("selector"), "selector")
    assert set(changed) <= set(before)
    settings = selector_settings(before | changed, monkeypatch)
    assert (settings.weaviate_url, settings.weaviate_grpc_port) == ("https://weaviate.example.com", 443)


@pytest.mark.parametrize("where", ["kubernetes", "compose"])
def test_the_server_that_is_deployed_is_the_one_that_is_tested(where: str) -> None:
    if where == "kubernetes":
        (container,) = PROD.pod("weaviate")["spec"]["containers"]
        environment, used = variables(PROD.pod("weaviate"), "weaviate"), container["image"]
    else:
        server = OVERRIDE["services"]["weaviate"]
        environment, used = server["environment"], server["image"]
    assert used == f"semitechnologies/weaviate:{VERSION}"
    tested = server_environment(data=ROOT, grpc=1, gossip=2, internal=3, raft=4, raft_rpc=5, api_key="")
    theirs = {"PERSISTENCE_DATA_PATH", "GRPC_PORT", *(name for name in tested if name.endswith(("_PORT", "_KEYS")))}
    for name in tested.keys() - theirs - {"CLUSTER_BASIC_AUTH_PASSWORD"}:
        assert environment[name] == tested[name], name


def test_composes_selector_starts_with_its_settings_and_finds_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    selector, server = OVERRIDE["services"]["selector"], OVERRIDE["services"]["weaviate"]
    settings = selector_settings(selector["environment"], monkeypatch)
    assert settings.weaviate_url == f"http://weaviate:{server['command'][-1]}"
    assert settings.weaviate_grpc_port == GRPC
    assert settings.weaviate_api_key is not None
    assert settings.weaviate_api_key.get_secret_value() == server["environment"]["AUTHENTICATION_APIKEY_ALLOWED_KEYS"]
    assert settings.redis_url is not None
    assert (
        settings.redis_url.get_secret_value() == COMPOSE["services"]["gateway"]["environment"]["SCIC_GATEWAY_REDIS_URL"]
    )


def test_what_the_override_refers_to_exists_and_its_server_is_confined() -> None:
    assert OVERRIDE["name"] == COMPOSE["name"]
    services = COMPOSE["services"] | OVERRIDE["services"]
    for name in OVERRIDE["services"]["selector"]["depends_on"]:
        assert "healthcheck" in services[name]
    server = OVERRIDE["services"]["weaviate"]
    assert [volume.partition(":")[0] for volume in server["volumes"]] == list(OVERRIDE["volumes"])
    assert (server["read_only"], server["cap_drop"]) == (True, ["ALL"])
    assert "ports" not in server
