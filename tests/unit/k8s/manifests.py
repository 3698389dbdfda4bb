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

    def pod(self, deployment: str) -> Manifest:
        """The pod that a deployment makes."""
        return dict(self.of("Deployment")[deployment]["spec"]["template"])

    def selected(self, labels: Manifest) -> list[str]:
        """Deployments whose pods carry these labels."""
        return [
            name for name in self.of("Deployment") if labels.items() <= self.pod(name)["metadata"]["labels"].items()
        ]

    def broken_references(self) -> list[str]:
        """Everything that is named and does not exist, in words."""
        return [
            *self._broken_selectors(),
            *(f"{name}: {fault}" for name in self.of("Deployment") for fault in self._broken_in_pod(name)),
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
        for name, deployment in self.of("Deployment").items():
            if self.selected(deployment["spec"]["selector"]["matchLabels"]) != [name]:
                yield f"Deployment {name} selects other pods than its own"
        for name, scaler in self.of("HorizontalPodAutoscaler").items():
            target = scaler["spec"]["scaleTargetRef"]
            if "replicas" in self.of(target["kind"])[target["name"]]["spec"]:
                yield f"HorizontalPodAutoscaler {name} and its target both say how many replicas there are"
        for name, budget in self.of("PodDisruptionBudget").items():
            if self.selected(budget["spec"]["selector"]["matchLabels"]) != [name]:
                yield f"PodDisruptionBudget {name} covers other pods"

    def _broken_in_pod(self, deployment: str) -> Iterator[str]:
        spec = self.pod(deployment)["spec"]
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
        mounted = {mount["name"] for c in containers(self.pod(deployment)) for mount in c.get("volumeMounts", [])}
        if mounted != set(volumes):
            yield f"mounts {mounted}, but has the volumes {set(volumes)}"
        for container in containers(self.pod(deployment)):
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
        if "valueFrom" in variable
    ]
    return {*volumes, *variables}


def _broken_probes(container: Manifest) -> Iterator[str]:
    ports = container.get("ports", [])
    known = {port["name"] for port in ports} | {port["containerPort"] for port in ports}
    for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
        probe = container.get(kind, {})
        for handler in ("grpc", "httpGet", "tcpSocket"):
            if handler in probe and probe[handler]["port"] not in known:
                yield f"{container['name']}: {kind} asks port {probe[handler]['port']}"
