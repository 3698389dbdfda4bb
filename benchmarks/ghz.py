"""Load by an independent client: ghz (https://ghz.sh), written in Go."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.proto import serialize_length_prefixed

from benchmarks.usage import children_cpu_seconds
from scic.gateway.v1.context_service_pb2 import DESCRIPTOR, BuildContextRequest

MODULE = "github.com/bojand/ghz/cmd/ghz@v0.93.0"
METHOD = "scic.gateway.v1.ContextService/BuildContext"
_CONNECTIONS = 4


class LoadError(Exception):
    """The load client cannot run; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a run of the load client saw."""

    requests: int
    """Answers, errors included."""
    errors: int
    seconds: float
    p50_ms: float
    """Of the answers that are no errors."""
    p95_ms: float
    """Of the same."""
    client_cpu_seconds: float
    error_counts: dict[str, int]
    """By gRPC status, OK left out."""

    @property
    def throughput(self) -> float:
        """Good answers a second."""
        return (self.requests - self.errors) / self.seconds


def find_ghz() -> str:
    """The path of ghz, which is built first where it is missing and Go is there. Raises LoadError."""
    if found := shutil.which("ghz"):
        return found
    go = shutil.which("go")
    if go is None:
        raise LoadError(f"The load client is missing: install Go, or put ghz on the PATH ({MODULE}).")
    path = subprocess.run([go, "env", "GOPATH"], check=True, capture_output=True, text=True).stdout.strip()
    ghz = Path(path) / "bin" / "ghz"
    if not ghz.exists():
        print(f"Building the load client, once: go install {MODULE}")
        if subprocess.run([go, "install", MODULE], check=False).returncode:
            raise LoadError(f"The load client could not be built: see above, or put ghz on the PATH ({MODULE}).")
    return str(ghz)


@dataclass(frozen=True, slots=True)
class LoadClient:
    """Calls BuildContext at one address."""

    ghz: str
    address: str
    api_key: str
    scratch: Path
    """A folder for the requests of a run."""

    def run(
        self,
        requests: Sequence[BuildContextRequest],
        *,
        seconds: float,
        concurrency: int,
        rate: int | None = None,
        connections: int = _CONNECTIONS,
    ) -> Load:
        """Sends requests in turn, from the first again when they are used up, for `seconds`.

        Args:
            requests: their text must not hold `{{`, which ghz would take for a template.
            seconds: after them no request is begun; those under way are waited for.
            concurrency: requests under way at any time, at most.
            rate: requests offered a second; None: as many as are answered.
            connections: between which they are shared out, at most one a concurrent request.
        """
        data, descriptors = self.scratch / "requests.bin", self.scratch / "scic.protoset"
        data.write_bytes(delimited(requests))
        descriptors.write_bytes(protoset(DESCRIPTOR).SerializeToString())
        command = [
            self.ghz,
            *("--insecure", "--protoset", str(descriptors)),
            *("--call", METHOD, "--binary-file", str(data)),
            *("--metadata", json.dumps({"authorization": f"Bearer {self.api_key}"})),
            *("--concurrency", str(concurrency), "--connections", str(min(concurrency, connections))),
            *("--duration", f"{seconds}s", "--duration-stop", "wait"),
            *(("--rps", str(rate)) if rate else ()),
            *("--format", "json", self.address),
        ]
        before = children_cpu_seconds()
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            raise LoadError(f"The load client failed: {done.stderr.strip() or done.stdout.strip()}")
        return parse(json.loads(done.stdout), client_cpu_seconds=children_cpu_seconds() - before)


def protoset(file: FileDescriptor) -> FileDescriptorSet:
    """A file of the API with all that it imports, what is imported first: ghz's own reader of protos is older than
    `optional`."""
    found: dict[str, FileDescriptorProto] = {}

    def add(one: FileDescriptor) -> None:
        for imported in one.dependencies:
            add(imported)
        if one.name not in found:
            found[one.name] = FileDescriptorProto()
            one.CopyToProto(found[one.name])

    add(file)
    return FileDescriptorSet(file=found.values())


def parse(report: dict[str, Any], *, client_cpu_seconds: float) -> Load:
    """A run, from ghz's own JSON report. Raises LoadError where nothing was answered well."""
    statuses: dict[str, int] = report["statusCodeDistribution"]
    errors = {status: count for status, count in statuses.items() if status != "OK"}
    percentiles = {entry["percentage"]: entry["latency"] for entry in report["latencyDistribution"] or ()}
    if not {50, 95} <= percentiles.keys():
        raise LoadError(f"No request was answered: {report['errorDistribution']}")
    return Load(
        requests=report["count"],
        errors=sum(errors.values()),
        seconds=report["total"] / 1e9,
        p50_ms=percentiles[50] / 1e6,
        p95_ms=percentiles[95] / 1e6,
        client_cpu_seconds=client_cpu_seconds,
        error_counts=errors,
    )


def delimited(requests: Sequence[BuildContextRequest]) -> bytes:
    """Requests one after another, each behind its length as a varint: what ghz reads from a binary file."""
    buffer = BytesIO()
    for request in requests:
        serialize_length_prefixed(request, buffer)
    return buffer.getvalue()
