"""Manifests as data, and what in them must refer to one another."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.unit.k8s.files import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Manifest = dict[str, Any]
NAME = "app.kubernetes.io/name"


def base_files() -> list[Path]:
    """The files of k8s/base that hold manifests."""
    return sorted(path for path in (ROOT / "k8s" / "base").glob("*.yaml") if path.name != "kustomization.yaml")


def load(path: Path) -> list[Manifest]:
    """The manifests of a file."""
    return [document for document in yaml.safe_load_all(path.read_text(encoding="utf-8")) if document]


def render(folder: str) -> list[Manifest]:
    """What `kubectl apply --kustomize` would send."""
    beside_python = str(Path(sys.executable).parent)
    kubectl = shutil.which("kubectl", path=beside_python) or shutil.which("kubectl")
    assert kubectl, "kubectl is missing: it comes with the development dependencies"
    done = subprocess.run(
        [kubectl, "kustomize", str(ROOT / "k8s" / folder)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "deprecated fields"
    return list(yaml.safe_load_all(done.stdout))


@dataclass(frozen=True, slots=True)
class Cluster:
    """Manifests that are applied together."""

    manifests: Sequence[Manifest]

    def of(self, kind: str) -> dict[str, Manifest]:
        """The manifests of a kind, by name."""
        return {m["metadata"]["name"]: m for m in self.manifests if m["kind"] == kind}

    def workloads(self) -> dict[str, Manifest]:
        """Deployments and stateful sets, by name."""
        return self.of("Deployment") | self.of("StatefulSet")

    def pod(self, workload: str) -> Manifest:
        """The pod that a workload makes."""
        return dict(self.workloads()[workload]["spec"]["template"])

    def selected(self, labels: Manifest) -> list[str]:
        """Workloads whose pods carry these labels."""
        return [name for name in self.workloads() if labels.items() <= self.pod(name)["metadata"]["labels"].items()]

    def passes(self, pod: str, direction: str, peer: str, port: int) -> bool:
        """Whether the policies let `pod` speak to (Egress) or be spoken to by (Ingress) `peer` at a port."""
        ends = {"Ingress": "from", "Egress": "to"}[direction]
        rules = [
            rule
            for policy in self.of("NetworkPolicy").values()
            if direction in policy["spec"]["policyTypes"] and _selects(policy["spec"]["podSelector"], pod)
            for rule in policy["spec"].get(direction.lower(), [])
        ]
        return any(
            any(allowed["port"] == port for allowed in rule["ports"])
            and (ends not in rule or any(_selects(end.get("podSelector", {}), peer) for end in rule[ends]))
            for rule in rules
        )

    def broken_references(self) -> list[str]:
        """Everything that is named and does not exist, in words."""
        return [
            *self._broken_selectors(),
            *(f"{name}: {fault}" for name in self.workloads() for fault in self._broken_in_pod(name)),
        ]

    def _broken_selectors(self) -> Iterator[str]:
        for name, service in self.of("Service").items():
            selected = self.selected(service["spec"]["selector"])
            if len(selected) != 1:
                yield f"Service {name} selects {selected}"
                continue
            ports = {port["name"] for c in containers(self.pod(selected[0])) for port in c.get("ports", [])}
            yield from (
                f"Service {name}: no container port {port['targetPort']}"
                for port in service["spec"]["ports"]
                if port["targetPort"] not in ports
            )
        for name, workload in self.workloads().items():
            if self.selected(workload["spec"]["selector"]["matchLabels"]) != [name]:
                yield f"{workload['kind']} {name} selects other pods than its own"
        for name, scaler in self.of("HorizontalPodAutoscaler").items():
            target = scaler["spec"]["scaleTargetRef"]
            if "replicas" in self.of(target["kind"])[target["name"]]["spec"]:
                yield f"HorizontalPodAutoscaler {name} and its target both say how many replicas there are"
        for name, budget in self.of("PodDisruptionBudget").items():
            if self.selected(budget["spec"]["selector"]["matchLabels"]) != [name]:
                yield f"PodDisruptionBudget {name} covers other pods"

    def _broken_in_pod(self, workload: str) -> Iterator[str]:
        spec = self.pod(workload)["spec"]
        if (account := spec.get("serviceAccountName", "default")) not in {*self.of("ServiceAccount"), "default"}:
            yield f"no ServiceAccount {account}"
        volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
        for volume in volumes.values():
            if (name := volume.get("configMap", {}).get("name")) and name not in self.of("ConfigMap"):
                yield f"no ConfigMap {name}"
            if (name := volume.get("persistentVolumeClaim", {}).get("claimName")) and name not in self.of(
                "PersistentVolumeClaim"
            ):
                yield f"no PersistentVolumeClaim {name}"
        claims = self.workloads()[workload]["spec"].get("volumeClaimTemplates", [])
        there = {*volumes, *(claim["metadata"]["name"] for claim in claims)}
        mounted = {mount["name"] for c in containers(self.pod(workload)) for mount in c.get("volumeMounts", [])}
        if mounted != there:
            yield f"mounts {mounted}, but has the volumes {there}"
        for container in containers(self.pod(workload)):
            yield from _broken_probes(container)


def containers(pod: Manifest) -> list[Manifest]:
    """A pod's containers, its sidecars included."""
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def secret_names(pod: Manifest) -> set[str]:
    """Secrets a pod reads."""
    volumes = [volume["secret"]["secretName"] for volume in pod["spec"].get("volumes", []) if "secret" in volume]
    variables = [
        variable["valueFrom"]["secretKeyRef"]["name"]
        for container in containers(pod)
        for variable in container.get("env", [])
        if "secretKeyRef" in variable.get("valueFrom", {})
    ]
    return {*volumes, *variables}


def _selects(selector: Manifest, pod: str) -> bool:
    labels = {NAME: pod}
    expressions = selector.get("matchExpressions", [])
    assert all(expression["operator"] == "In" for expression in expressions)
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        labels.get(expression["key"]) in expression["values"] for expression in expressions
    )


def _broken_probes(container: Manifest) -> Iterator[str]:
    ports = container.get("ports", [])
    known = {port["name"] for port in ports} | {port["containerPort"] for port in ports}
    for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
        probe = container.get(kind, {})
        for handler in ("grpc", "httpGet", "tcpSocket"):
            if handler in probe and probe[handler]["port"] not in known:
                yield f"{container['name']}: {kind} asks port {probe[handler]['port']}"
