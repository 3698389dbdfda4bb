"""The laptop mesh: which processes, with which settings, on which ports."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from scic.mesh import envoy, valkey, weaviate
from scic.mesh.options import MeshOptions
from scic.mesh.packages import Installation
from scic.mesh.paths import MeshPaths
from scic.mesh.ports import LOOPBACK
from scic.mesh.spec import Command, MeshPlan, Probe, ProbeKind, ProcessSpec
from scic.mesh.store import Store

STAGES = ("selector", "compressor", "composer")
WORKER = "worker"
"""A gateway in its other role: it does jobs."""

_WEAVIATE_HEALTHY_WITHIN = 120.0
"""Seconds. It took four on two idle cores; after a crash it first reads its logs of writes."""

_PAGE_PORT = "SCIC_GATEWAY_PAGE_PORT"

_NICENESS = 5
"""Of stages and workers, that of gateways and engines being 0. Under overload those who refuse, and answer from the
cache, must not wait for a processor behind those who have too much to do; machines of their own would see to that."""

# Replicas share the cores: parallelism comes from processes, and thread pools inside each would only fight.
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def laptop_plan(
    options: MeshOptions,
    installation: Installation,
    *,
    ports: Iterator[int],
    password: str,
    store: weaviate.Connection | weaviate.Server | None = None,
) -> MeshPlan:
    """Plan a mesh: replicas of each service, workers, one Valkey, one Envoy at the edge, one beside the gateways.

    `ports` yields free loopback ports; `password` is Valkey's for this run; `store` is the Weaviate that holds the
    passages, which the mesh starts if it is a Server, and None the embedded store.
    """
    planner = _Planner(options, installation, ports)
    cache, redis_url = planner.cache(password)
    engines = [cache]
    if isinstance(store, weaviate.Server):
        server, store = planner.store_server(store)
        engines.append(server)
    store_env = planner.store_env(store, redis_url)
    stages = [
        replica for service in STAGES for replica in planner.replicas(service, planner.stage_env(service, store_env))
    ]
    sidecar, stage_listeners = planner.sidecar(stages)
    gateways = planner.gateways(stage_listeners, redis_url)
    workers = planner.workers(stage_listeners, redis_url)
    edge = planner.edge(gateways)
    return MeshPlan(
        files=planner.files,
        preparations=(planner.python("model", "services.text.model", "--dir", str(planner.paths.models)),),
        waves=((*engines, *stages), (sidecar,), (*gateways, *workers), (edge,)),
        # The gateways drain while the edge still carries their replies; then workers end or give back what nobody can
        # add to any more; the stages go when nobody calls them any more.
        stop_order=(
            ("gateway",),
            ("edge",),
            (WORKER,),
            ("sidecar",),
            STAGES,
            tuple(engine.service for engine in engines),
        ),
        rolling=(*STAGES, "gateway", WORKER),
    )


class _Planner:
    """Collects the files of a plan and hands out its ports."""

    def __init__(self, options: MeshOptions, installation: Installation, ports: Iterator[int]) -> None:
        self._options = options
        self._installation = installation
        self._ports = ports
        self.paths = MeshPaths(options.data_dir)
        self.files: dict[Path, str] = {}

    def python(self, name: str, module: str, *arguments: str) -> Command:
        """A module of the checkout as a command."""
        return Command(
            name=name,
            argv=(sys.executable, "-m", module, *arguments),
            env={**_ONE_THREAD, "PYTHONUNBUFFERED": "1"},
            cwd=self._installation.root,
            log=self._log(name),
        )

    def replicas(
        self, service: str, env: Mapping[str, str], *, count: int | None = None, role: str = ""
    ) -> list[ProcessSpec]:
        """All replicas of one of our services, as many as of every service unless `count` says; `role` names them."""
        specs = []
        for replica in range(1, (self._options.replicas if count is None else count) + 1):
            port, metrics_port = next(self._ports), next(self._ports)
            command = self.python(f"{role or service}-{replica}", f"services.{service}")
            prefix = f"SCIC_{service.upper()}"
            own = {
                f"{prefix}_HOST": LOOPBACK,
                f"{prefix}_PORT": str(port),
                f"{prefix}_METRICS_PORT": str(metrics_port),
            }
            specs.append(
                ProcessSpec(
                    name=command.name,
                    service=role or service,
                    replica=replica,
                    argv=command.argv,
                    env={**command.env, **own, **env},
                    cwd=command.cwd,
                    address=_at(port),
                    probe=Probe(ProbeKind.GRPC, _at(port)),
                    metrics=f"http://{_at(metrics_port)}/metrics",
                    log=command.log,
                    niceness=0 if (role or service) == "gateway" else _NICENESS,
                )
            )
        return specs

    def stage_env(self, service: str, store_env: Mapping[str, str]) -> dict[str, str]:
        """What a stage is told beyond its ports."""
        models = {f"SCIC_{service.upper()}_MODEL_DIR": str(self.paths.models)}
        return {
            "selector": {**models, **store_env},
            "compressor": models,
            "composer": {},
        }[service]

    def store_env(self, store: weaviate.Connection | None, redis_url: str) -> dict[str, str]:
        """What a selector is told about its store."""
        if store is None:
            return {"SCIC_SELECTOR_STORE": Store.EMBEDDED, "SCIC_SELECTOR_DATA_DIR": str(self.paths.selector)}
        key = {} if store.api_key is None else {"SCIC_SELECTOR_WEAVIATE_API_KEY": store.api_key}
        return {
            "SCIC_SELECTOR_STORE": Store.WEAVIATE,
            "SCIC_SELECTOR_WEAVIATE_URL": store.url,
            "SCIC_SELECTOR_WEAVIATE_GRPC_PORT": str(store.grpc_port),
            **key,
            "SCIC_SELECTOR_REDIS_URL": redis_url,
        }

    def gateways(self, stage_addresses: Mapping[str, str], redis_url: str) -> list[ProcessSpec]:
        """All replicas of the gateway, each with a port for its page."""
        return [
            replace(spec, env={**spec.env, _PAGE_PORT: str(next(self._ports))})
            for spec in self.replicas("gateway", self._gateway_env(stage_addresses, redis_url))
        ]

    def workers(self, stage_addresses: Mapping[str, str], redis_url: str) -> list[ProcessSpec]:
        """The workers."""
        env = {
            **self._gateway_env(stage_addresses, redis_url),
            "SCIC_GATEWAY_ROLE": WORKER,
            # Nobody calls it who would have to turn away first.
            "SCIC_GATEWAY_DRAIN_SECONDS": "0",
        }
        return self.replicas("gateway", env, count=self._options.workers, role=WORKER)

    def _gateway_env(self, stage_addresses: Mapping[str, str], redis_url: str) -> dict[str, str]:
        return {
            **{f"SCIC_GATEWAY_{stage.upper()}_ADDRESS": address for stage, address in stage_addresses.items()},
            "SCIC_GATEWAY_REDIS_URL": redis_url,
            "SCIC_GATEWAY_KEYS_FILE": str(self.paths.keys),
            "SCIC_GATEWAY_STORAGE_URL": f"file://{self.paths.objects}",
        }

    def cache(self, password: str) -> tuple[ProcessSpec, str]:
        """Valkey, and the URL by which gateways reach it."""
        port = next(self._ports)
        # A file, not arguments: every user of the machine can read a command line.
        config = self.paths.run / "valkey.conf"
        self.files[config] = valkey.render(port=port, password=password, directory=self.paths.valkey)
        spec = ProcessSpec(
            name="valkey-1",
            service="valkey",
            replica=1,
            argv=(self._installation.valkey, str(config)),
            env={},
            cwd=self._installation.root,
            address=_at(port),
            probe=Probe(ProbeKind.REDIS, _at(port), password),
            log=self._log("valkey-1"),
        )
        return spec, f"redis://:{password}@{_at(port)}/0"

    def store_server(self, server: weaviate.Server) -> tuple[ProcessSpec, weaviate.Connection]:
        """Weaviate, and how selectors reach it."""
        http, grpc, gossip, internal, raft, raft_rpc = (next(self._ports) for _ in range(6))
        spec = ProcessSpec(
            name="weaviate-1",
            service="weaviate",
            replica=1,
            argv=weaviate.server_command(server.program, http),
            env=weaviate.server_environment(
                data=self.paths.weaviate,
                grpc=grpc,
                gossip=gossip,
                internal=internal,
                raft=raft,
                raft_rpc=raft_rpc,
                api_key=server.api_key,
            ),
            cwd=self.paths.weaviate,
            address=_at(http),
            probe=Probe(ProbeKind.HTTP, f"{_at(http)}/v1/.well-known/ready"),
            healthy_within=_WEAVIATE_HEALTHY_WITHIN,
            log=self._log("weaviate-1"),
        )
        return spec, weaviate.Connection(url=f"http://{_at(http)}", grpc_port=grpc, api_key=server.api_key)

    def sidecar(self, stages: list[ProcessSpec]) -> tuple[ProcessSpec, dict[str, str]]:
        """The Envoy between gateways and stages, and the address it gives each stage."""
        listeners = {stage: (LOOPBACK, next(self._ports)) for stage in STAGES}
        endpoints = {stage: [_split(spec.address) for spec in stages if spec.service == stage] for stage in STAGES}
        ops = next(self._ports)
        spec = self._envoy("sidecar", endpoints, {**listeners, "ops": (LOOPBACK, ops)}, ops, f"{_at(ops)}/ready")
        return spec, {stage: _at(port) for stage, (_, port) in listeners.items()}

    def edge(self, gateways: list[ProcessSpec]) -> ProcessSpec:
        """The Envoy that clients call."""
        ops, port = next(self._ports), self._options.edge_port
        listeners = {"edge": (LOOPBACK, port), "ops": (LOOPBACK, ops)}
        endpoints = {
            "gateway": [_split(spec.address) for spec in gateways],
            "gateway_page": [(LOOPBACK, int(spec.env[_PAGE_PORT])) for spec in gateways],
        }
        return self._envoy("edge", endpoints, listeners, ops, f"{_at(port)}/healthz", address=_at(port))

    def _envoy(
        self,
        service: str,
        endpoints: Mapping[str, list[envoy.Address]],
        listeners: Mapping[str, envoy.Address],
        ops: int,
        probe: str,
        *,
        address: str | None = None,
    ) -> ProcessSpec:
        config = self.paths.run / f"{service}.yaml"
        shipped = self._installation.root / "envoy" / f"{service}.yaml"
        self.files[config] = envoy.render(shipped, endpoints, listeners, next(self._ports))
        name = f"{service}-1"
        # One worker each measured best on two cores; without hot restart, meshes run side by side.
        flags = ("--concurrency", "1", "--disable-hot-restart", "--log-level", "warning")
        return ProcessSpec(
            name=name,
            service=service,
            replica=1,
            argv=(self._installation.envoy, "-c", str(config), *flags),
            env={},
            cwd=self._installation.root,
            address=address or _at(ops),
            probe=Probe(ProbeKind.HTTP, probe),
            metrics=f"http://{_at(ops)}/stats/prometheus",
            log=self._log(name),
        )

    def _log(self, name: str) -> Path:
        return self.paths.logs / f"{name}.log"


def _at(port: int) -> str:
    return f"{LOOPBACK}:{port}"


def _split(address: str) -> envoy.Address:
    host, _, port = address.rpartition(":")
    return host, int(port)
