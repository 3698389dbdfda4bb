"""The laptop mesh as data."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import yaml

from scic.mesh.options import MeshOptions
from scic.mesh.packages import Installation
from scic.mesh.plan import laptop_plan
from scic.mesh.spec import MeshPlan, ProbeKind, ProcessSpec

ROOT = Path(__file__).parents[3]
DATA = Path("/data/scic")


def planned(replicas: int = 2, edge_port: int = 8080, workers: int = 1) -> MeshPlan:
    options = MeshOptions(data_dir=DATA, edge_port=edge_port, replicas=replicas, workers=workers)
    installation = Installation(root=ROOT, envoy="/bin/envoy", valkey="/bin/valkey")
    return laptop_plan(options, installation, ports=itertools.count(20_000), password="p4ss")


def by_name(plan: MeshPlan) -> dict[str, ProcessSpec]:
    return {spec.name: spec for spec in plan.processes()}


@pytest.mark.parametrize("replicas", [1, 2, 3])
def test_every_service_has_its_replicas_and_every_engine_is_there_once(replicas: int) -> None:
    services = [spec.service for spec in planned(replicas).processes()]
    for service in ("selector", "compressor", "composer", "gateway"):
        assert services.count(service) == replicas
    for engine in ("valkey", "sidecar", "edge"):
        assert services.count(engine) == 1


def test_waves_go_from_the_stages_to_the_edge() -> None:
    waves = [sorted({spec.service for spec in wave}) for wave in planned().waves]
    assert waves == [["composer", "compressor", "selector", "valkey"], ["sidecar"], ["gateway", "worker"], ["edge"]]


def test_gateways_drain_before_the_edge_goes_and_everything_stops() -> None:
    plan = planned()
    stopped = [service for group in plan.stop_order for service in group]
    order = [stopped.index(name) for name in ("gateway", "edge", "worker", "sidecar", "selector", "valkey")]
    assert order == sorted(order)
    assert sorted(stopped) == sorted({spec.service for spec in plan.processes()})
    assert plan.rolling == ("selector", "compressor", "composer", "gateway", "worker")


def test_who_refuses_and_answers_from_the_cache_goes_before_who_computes() -> None:
    after = {spec.service for spec in planned().processes() if spec.niceness > 0}
    assert after == {"selector", "compressor", "composer", "worker"}


@pytest.mark.parametrize("service", ["selector", "compressor", "composer", "gateway"])
def test_each_replica_gets_ports_of_its_own(service: str) -> None:
    specs = [spec for spec in planned().processes() if spec.service == service]
    prefix = f"SCIC_{service.upper()}"
    ports = [spec.env[f"{prefix}_{kind}"] for spec in specs for kind in ("PORT", "METRICS_PORT")]
    assert len(set(ports)) == 4
    for spec in specs:
        assert spec.argv[1:] == ("-m", f"services.{service}")
        assert spec.env[f"{prefix}_HOST"] == "127.0.0.1"
        assert spec.address == f"127.0.0.1:{spec.env[f'{prefix}_PORT']}"
        assert spec.metrics == f"http://127.0.0.1:{spec.env[f'{prefix}_METRICS_PORT']}/metrics"
        assert spec.probe.kind is ProbeKind.GRPC
        assert spec.env["OMP_NUM_THREADS"] == spec.env["OPENBLAS_NUM_THREADS"] == "1"


@pytest.mark.parametrize(
    ("name", "variable", "value"),
    [
        ("selector-1", "SCIC_SELECTOR_DATA_DIR", "/data/scic/selector"),
        ("selector-2", "SCIC_SELECTOR_DATA_DIR", "/data/scic/selector"),
        ("selector-1", "SCIC_SELECTOR_MODEL_DIR", "/data/scic/models"),
        ("compressor-1", "SCIC_COMPRESSOR_MODEL_DIR", "/data/scic/models"),
        ("gateway-1", "SCIC_GATEWAY_KEYS_FILE", "/data/scic/keys.json"),
        ("gateway-2", "SCIC_GATEWAY_STORAGE_URL", "file:///data/scic/objects"),
    ],
)
def test_what_a_service_is_told(name: str, variable: str, value: str) -> None:
    assert by_name(planned())[name].env[variable] == value


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_a_worker_is_a_gateway_with_the_role_that_no_balancer_knows(workers: int) -> None:
    plan = planned(workers=workers)
    specs = [spec for spec in plan.processes() if spec.service == "worker"]
    assert [spec.name for spec in specs] == [f"worker-{number}" for number in range(1, workers + 1)]
    gateway = by_name(plan)["gateway-1"]
    for spec in specs:
        assert spec.argv == gateway.argv
        assert spec.env["SCIC_GATEWAY_ROLE"] == "worker"
        assert {n: v for n, v in spec.env.items() if n.endswith(("_ADDRESS", "_URL", "_FILE"))} == {
            n: v for n, v in gateway.env.items() if n.endswith(("_ADDRESS", "_URL", "_FILE"))
        }
        assert spec.probe.kind is ProbeKind.GRPC
        assert spec.address not in plan.files[DATA / "run" / "edge.yaml"]


def test_gateways_call_the_stages_through_the_sidecar() -> None:
    plan = planned()
    config = yaml.safe_load(plan.files[DATA / "run" / "sidecar.yaml"])
    listeners = {
        listener["name"]: listener["address"]["socket_address"] for listener in config["static_resources"]["listeners"]
    }
    for gateway in ("gateway-1", "gateway-2"):
        for stage in ("selector", "compressor", "composer"):
            address = by_name(plan)[gateway].env[f"SCIC_GATEWAY_{stage.upper()}_ADDRESS"]
            assert address == f"{listeners[stage]['address']}:{listeners[stage]['port_value']}"


def test_the_cache_is_reached_with_its_password_which_no_command_line_shows() -> None:
    plan = planned()
    cache = by_name(plan)["valkey-1"]
    assert by_name(plan)["gateway-1"].env["SCIC_GATEWAY_REDIS_URL"] == f"redis://:p4ss@{cache.address}/0"
    assert "requirepass p4ss" in plan.files[DATA / "run" / "valkey.conf"]
    assert not [spec.name for spec in plan.processes() if "p4ss" in " ".join(spec.argv)]


def test_the_edge_listens_where_the_person_said_and_nobody_else_does() -> None:
    plan = planned(edge_port=9000)
    assert by_name(plan)["edge-1"].address == "127.0.0.1:9000"
    assert by_name(plan)["edge-1"].probe.target == "127.0.0.1:9000/healthz"
    assert [spec.name for spec in plan.processes() if spec.address.endswith(":9000")] == ["edge-1"]


@pytest.mark.parametrize("replicas", [1, 2, 3])
def test_every_gateway_has_a_page_of_its_own_and_the_edge_sends_to_all(replicas: int) -> None:
    plan = planned(replicas)
    gateways = [spec for spec in plan.processes() if spec.service == "gateway"]
    pages = [("127.0.0.1", int(spec.env["SCIC_GATEWAY_PAGE_PORT"])) for spec in gateways]
    assert len(set(pages)) == replicas
    config = yaml.safe_load(plan.files[DATA / "run" / "edge.yaml"])
    (cluster,) = [c for c in config["static_resources"]["clusters"] if c["name"] == "gateway_page"]
    (group,) = cluster["load_assignment"]["endpoints"]
    sockets = [host["endpoint"]["address"]["socket_address"] for host in group["lb_endpoints"]]
    assert [(socket["address"], socket["port_value"]) for socket in sockets] == pages


def test_no_two_ports_of_a_mesh_are_the_same() -> None:
    ports = [value for spec in planned().processes() for name, value in spec.env.items() if name.endswith("_PORT")]
    assert len(ports) == len(set(ports)) == 20


def test_the_model_is_prepared_first() -> None:
    (model,) = planned().preparations
    assert model.argv[1:] == ("-m", "services.text.model", "--dir", "/data/scic/models")
