"""What the mesh counted itself: its Prometheus pages, read before and after a run."""

import urllib.request
from collections import Counter
from collections.abc import Iterable, Mapping

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.laptop import MeshProcess

_TIMEOUT_SECONDS = 5.0


def total(processes: Iterable[MeshProcess], name: str, labels: Mapping[str, str] | None = None) -> float:
    """The sum of a counter's samples over all processes, of those that have these labels."""
    return sum(count(_page(process), name, labels or {}) for process in processes)


def count(page: str, name: str, labels: Mapping[str, str]) -> float:
    """The sum of a counter's samples on one page in Prometheus' text format."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def sent_and_received(sidecars: Iterable[MeshProcess], stages: Iterable[str]) -> Counter[tuple[str, str]]:
    """Requests, bytes sent and bytes received so far between the sidecars and each stage, by (stage, kind)."""
    pages = [_page(sidecar) for sidecar in sidecars]
    found: Counter[tuple[str, str]] = Counter()
    for stage in stages:
        for kind, name in _ENVOY_NAMES.items():
            found[stage, kind] = int(sum(count(page, name, {"envoy_cluster_name": stage}) for page in pages))
    return found


_ENVOY_NAMES = {
    "requests": "envoy_cluster_upstream_rq_total",
    "sent": "envoy_cluster_upstream_cx_tx_bytes_total",
    "received": "envoy_cluster_upstream_cx_rx_bytes_total",
}


def _page(process: MeshProcess) -> str:
    if process.metrics is None:
        raise ValueError(f"{process.service} has no Prometheus page")
    with urllib.request.urlopen(process.metrics, timeout=_TIMEOUT_SECONDS) as reply:
        return str(reply.read().decode("utf-8"))
