"""The manifests are valid, refer to what exists, fit the settings and Envoy's files, and confine every pod."""

from __future__ import annotations

from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from services.chassis.settings import ServeSettings, load_settings
from tests.unit.k8s.files import (
    ROOT,
    SERVICES,
    SETTINGS,
    envoy,
    envoy_listeners,
    envoy_upstreams,
    image,
    listening,
    version,
)
from tests.unit.k8s.manifests import Cluster, Manifest, base_files, containers, load, render, secret_names

KUBERNETES = "1.33"
"""The oldest version whose native sidecars are stable."""

WORKLOADS = ("edge", "worker", *SERVICES)
AUTOSCALED = ("edge", "gateway", "worker", "compressor", "composer")
BASE = Cluster([manifest for path in base_files() for manifest in load(path)])
FOLDERS = ("base", "overlays/dev", "overlays/prod")


@pytest.fixture(scope="module", params=FOLDERS)
def rendered(request: pytest.FixtureRequest) -> Cluster:
    return Cluster(render(request.param))


def _title(manifest: Manifest) -> str:
    return f"{manifest['kind']}-{manifest['metadata']['name']}"


@pytest.mark.parametrize("manifest", BASE.manifests, ids=_title)
def test_the_base_is_valid(manifest: Manifest) -> None:
    kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_what_kustomize_makes_is_valid_and_complete(rendered: Cluster) -> None:
    for manifest in rendered.manifests:
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    assert rendered.broken_references() == []
    assert set(WORKLOADS) <= set(rendered.of("Deployment"))


def test_kustomize_takes_every_file_of_the_base() -> None:
    resources = yaml.safe_load((ROOT / "k8s/base/kustomization.yaml").read_text(encoding="utf-8"))["resources"]
    assert sorted(resources) == sorted(["../../envoy", *(path.name for path in base_files())])


@pytest.mark.parametrize("name", ["edge", "sidecar"])
def test_envoy_gets_the_shipped_file(name: str) -> None:
    cluster = Cluster(render("base"))
    deployment = "edge" if name == "edge" else "gateway"
    (container,) = [c for c in containers(cluster.pod(deployment)) if c["name"] == "envoy"]
    path = Path(container["args"][container["args"].index("--config-path") + 1])
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in cluster.pod(deployment)["spec"]["volumes"]}
    config_map = cluster.of("ConfigMap")[volumes[mounts[str(path.parent)]]["configMap"]["name"]]
    assert config_map["data"] == {path.name: (ROOT / "envoy" / f"{name}.yaml").read_text(encoding="utf-8")}


@pytest.mark.parametrize("name", ["edge", "sidecar"])
def test_every_host_that_envoy_calls_is_a_headless_service(name: str) -> None:
    for host, port in envoy_upstreams(name):
        service = BASE.of("Service")[host]["spec"]
        assert service["clusterIP"] == "None", "with one address for all, Envoy would have nothing to balance"
        assert port in {p["port"] for p in service["ports"]}


@pytest.mark.parametrize(("name", "deployment"), [("edge", "edge"), ("sidecar", "gateway"), ("sidecar", "worker")])
def test_envoys_open_ports_are_the_containers(name: str, deployment: str) -> None:
    (container,) = [c for c in containers(BASE.pod(deployment)) if c["name"] == "envoy"]
    open_ports = {port for host, port in envoy_listeners(name).values() if host == "0.0.0.0"}
    assert {port["containerPort"] for port in container["ports"]} == open_ports


def test_the_edge_is_told_to_drain_at_the_port_of_its_admin() -> None:
    (container,) = BASE.pod("edge")["spec"]["containers"]
    admin = envoy("edge")["admin"]["address"]["socket_address"]
    command = container["lifecycle"]["preStop"]["exec"]["command"][-1]
    assert f"/dev/tcp/{admin['address']}/{admin['port_value']}" in command


def _settings(service: str, monkeypatch: pytest.MonkeyPatch) -> ServeSettings:
    variables = [v for c in BASE.pod(service)["spec"]["containers"] for v in c["env"]]
    plain = {v["name"]: v.get("value", "redis://a-secret:6379/0") for v in variables}
    for name, value in (image(service).environment | plain).items():
        monkeypatch.setenv(name, value)
    return load_settings(SETTINGS[service])


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_starts_with_its_settings_and_listens_where_others_look(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = _settings(service, monkeypatch)
    (container,) = BASE.pod(service)["spec"]["containers"]
    assert settings.host == "0.0.0.0"
    ports = listening(settings)
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == ports | {
        "metrics": settings.metrics_port
    }
    assert {port["name"]: port["port"] for port in BASE.of("Service")[service]["spec"]["ports"]} == ports
    assert BASE.pod(service)["metadata"]["annotations"]["prometheus.io/port"] == str(settings.metrics_port)
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["grpc"] == {"port": settings.port}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_drain_before_it_is_killed(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _settings(service, monkeypatch)
    assert BASE.pod(service)["spec"]["terminationGracePeriodSeconds"] > settings.drain_seconds + settings.grace_seconds


def test_the_sidecar_outlives_the_gateway() -> None:
    (sidecar,) = BASE.pod("gateway")["spec"]["initContainers"]
    assert sidecar["restartPolicy"] == "Always"
    assert sidecar["startupProbe"]["httpGet"]["path"] == "/ready"


@pytest.mark.parametrize("name", AUTOSCALED)
def test_what_keeps_nothing_scales_and_survives_a_drained_node(name: str) -> None:
    scaler = BASE.of("HorizontalPodAutoscaler")[name]["spec"]
    assert scaler["scaleTargetRef"]["name"] == name
    assert scaler["minReplicas"] >= 2
    assert BASE.of("PodDisruptionBudget")[name]["spec"]["maxUnavailable"] == 1
    assert BASE.of("Deployment")[name]["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


@pytest.mark.parametrize("folder", ["base", "overlays/dev"])
def test_one_selector_has_the_embedded_store_to_itself(folder: str) -> None:
    rendered = Cluster(render(folder))
    spec = rendered.of("Deployment")["selector"]["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert "selector" not in rendered.of("HorizontalPodAutoscaler")
    claim = rendered.of("PersistentVolumeClaim")["selector-data"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]


def test_every_pod_is_as_the_restricted_standard_wants_it(rendered: Cluster) -> None:
    for name in rendered.workloads():
        pod = rendered.pod(name)["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert (pod["automountServiceAccountToken"], pod["enableServiceLinks"]) == (False, False)
        for container in containers(rendered.pod(name)):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert {"cpu", "memory"} == set(container["resources"]["requests"])
            assert {"readinessProbe", "livenessProbe"} <= set(container)


def test_secrets_are_named_in_the_readme_and_held_by_nobody() -> None:
    readme = (ROOT / "k8s/README.md").read_text(encoding="utf-8")
    named = {name for workload in WORKLOADS for name in secret_names(BASE.pod(workload))}
    assert named == {"scic-gateway-keys", "scic-redis"}
    assert all(f"secret generic {name}" in readme for name in named)
    assert BASE.of("Secret") == {}


@pytest.mark.parametrize("service", SERVICES)
def test_images_carry_the_projects_version(service: str) -> None:
    (container,) = BASE.pod(service)["spec"]["containers"]
    assert container["image"] == f"scic-{service}:{version()}"
    (in_production,) = Cluster(render("overlays/prod")).pod(service)["spec"]["containers"]
    assert in_production["image"].endswith(f"scic/{service}:{version()}")


@pytest.mark.parametrize(
    ("caller", "called", "port", "allowed"),
    [
        pytest.param("edge", "gateway", 50051, True, id="edge-gateway"),
        pytest.param("edge", "gateway", 9151, True, id="edge-page"),
        pytest.param("gateway", "selector", 50052, True, id="gateway-selector"),
        pytest.param("gateway", "compressor", 50053, True, id="gateway-compressor"),
        pytest.param("gateway", "composer", 50054, True, id="gateway-composer"),
        pytest.param("worker", "selector", 50052, True, id="worker-selector"),
        pytest.param("worker", "compressor", 50053, True, id="worker-compressor"),
        pytest.param("worker", "composer", 50054, True, id="worker-composer"),
        pytest.param("edge", "worker", 50051, False, id="edge-worker"),
        pytest.param("gateway", "worker", 50051, False, id="gateway-worker"),
        pytest.param("worker", "gateway", 50051, False, id="worker-gateway"),
        pytest.param("edge", "selector", 50052, False, id="edge-past-the-gateway"),
        pytest.param("composer", "selector", 50052, False, id="stage-stage"),
        pytest.param("selector", "gateway", 50051, False, id="stage-gateway"),
        pytest.param("selector", "gateway", 9151, False, id="stage-page"),
    ],
)
def test_who_may_call_whom(caller: str, called: str, port: int, *, allowed: bool) -> None:
    leaves, enters = BASE.passes(caller, "Egress", called, port), BASE.passes(called, "Ingress", caller, port)
    assert (leaves, enters) == (allowed, allowed)


@pytest.mark.parametrize("pod", WORKLOADS)
def test_prometheus_reaches_what_the_pod_announces(pod: str) -> None:
    port = int(BASE.pod(pod)["metadata"]["annotations"]["prometheus.io/port"])
    assert BASE.passes(pod, "Ingress", "prometheus", port)


def test_gateway_and_worker_reach_redis_and_the_edge_is_open_to_all() -> None:
    assert BASE.passes("gateway", "Egress", "redis", 6379)
    assert BASE.passes("worker", "Egress", "redis", 6379)
    assert BASE.passes("edge", "Ingress", "anybody", 8080)
    assert not BASE.passes("composer", "Egress", "redis", 6379)
