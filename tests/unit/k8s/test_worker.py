"""Workers in Kubernetes and in compose: the gateway's image in its other role, with all that a job needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from services.chassis.settings import load_settings
from services.gateway.settings import GatewaySettings
from tests.unit.k8s.files import ROOT, image
from tests.unit.k8s.manifests import Cluster, render

if TYPE_CHECKING:
    from collections.abc import Mapping

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
CLUSTERS = {name: Cluster(render(name)) for name in ("base", "overlays/dev", "overlays/prod")}


def container(cluster: Cluster, name: str) -> dict[str, Any]:
    """The one container of a workload, beside its sidecar."""
    (only,) = cluster.pod(name)["spec"]["containers"]
    return dict(only)


def variables(cluster: Cluster, name: str) -> dict[str, str]:
    return {v["name"]: v.get("value", "redis://a-secret:6379/0") for v in container(cluster, name)["env"]}


def read(environment: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> GatewaySettings:
    for name, value in (image("gateway").environment | dict(environment)).items():
        monkeypatch.setenv(name, str(value))
    return load_settings(GatewaySettings)


@pytest.mark.parametrize("cluster", CLUSTERS.values(), ids=list(CLUSTERS))
def test_a_worker_has_all_that_a_gateway_has_and_the_role(cluster: Cluster) -> None:
    worker, gateway = variables(cluster, "worker"), variables(cluster, "gateway")
    assert gateway.items() <= worker.items()
    assert worker["SCIC_GATEWAY_ROLE"] == "worker"
    assert container(cluster, "worker")["image"] == container(cluster, "gateway")["image"]
    mounts = {mount["name"] for mount in container(cluster, "gateway")["volumeMounts"]}
    assert {mount["name"] for mount in container(cluster, "worker")["volumeMounts"]} == mounts


def test_it_answers_for_its_health_and_is_given_time_to_finish(monkeypatch: pytest.MonkeyPatch) -> None:
    base = CLUSTERS["base"]
    settings = read(variables(base, "worker"), monkeypatch)
    worker = container(base, "worker")
    assert {port["name"]: port["containerPort"] for port in worker["ports"]} == {
        "grpc": settings.port,
        "metrics": settings.metrics_port,
    }
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert worker[probe]["grpc"] == {"port": settings.port}
    assert base.pod("worker")["metadata"]["annotations"]["prometheus.io/port"] == str(settings.metrics_port)
    # What runs when the grace is over is cancelled, and given back.
    least = settings.drain_seconds + settings.grace_seconds + 5
    assert base.pod("worker")["spec"]["terminationGracePeriodSeconds"] > least


def test_it_waits_for_the_secret_of_redis_and_nobody_calls_it() -> None:
    base = CLUSTERS["base"]
    (redis,) = [v for v in container(base, "worker")["env"] if v["name"] == "SCIC_GATEWAY_REDIS_URL"]
    assert "optional" not in redis["valueFrom"]["secretKeyRef"]
    assert "worker" not in base.of("Service")


def test_it_reaches_what_the_gateway_reaches() -> None:
    assert CLUSTERS["overlays/dev"].passes("valkey", "Ingress", "worker", 6379)
    assert CLUSTERS["overlays/prod"].passes("worker", "Egress", "the bucket", 443)
    assert CLUSTERS["base"].passes("worker", "Egress", "dns", 53)


def test_jobs_survive_a_restart_of_valkey() -> None:
    dev = CLUSTERS["overlays/dev"]
    valkey, pod = container(dev, "valkey"), dev.pod("valkey")["spec"]
    assert valkey["args"] == COMPOSE["valkey"]["command"]
    assert "--appendonly yes" in " ".join(valkey["args"])
    assert COMPOSE["valkey"]["volumes"] == ["valkey:/data"]
    (mount,) = valkey["volumeMounts"]
    (volume,) = pod["volumes"]
    assert (mount["name"], mount["mountPath"]) == (volume["name"], "/data")
    assert volume["persistentVolumeClaim"]["claimName"] in dev.of("PersistentVolumeClaim")
    assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsGroup"], "else it may not write there"
    assert dev.workloads()["valkey"]["spec"]["strategy"] == {"type": "Recreate"}, "two may not write to one volume"


def test_in_compose_it_shares_the_sidecar_and_no_port_of_the_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    worker, gateway = COMPOSE["worker"], COMPOSE["gateway"]
    assert worker["network_mode"] == gateway["network_mode"]
    assert (worker["image"], worker["build"]) == (gateway["image"], gateway["build"])
    assert gateway["environment"].items() <= worker["environment"].items()
    assert (worker["secrets"], worker["volumes"]) == (gateway["secrets"], gateway["volumes"])
    settings = read(worker["environment"], monkeypatch)
    assert settings.role == "worker"
    for name in gateway["environment"]:
        monkeypatch.delenv(name)
    for name in worker["environment"]:
        monkeypatch.delenv(name, raising=False)
    theirs = read(gateway["environment"], monkeypatch)
    assert {settings.port, settings.metrics_port}.isdisjoint({theirs.port, theirs.metrics_port, theirs.page_port})
    assert f":{settings.metrics_port}/healthz" in worker["healthcheck"]["test"][-1]
    stop = float(worker["stop_grace_period"].removesuffix("s"))
    assert stop > settings.drain_seconds + settings.grace_seconds + 5
