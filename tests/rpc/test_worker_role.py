"""The gateway in its other role: health and metrics, no API, and a clear end where it cannot work."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.request import urlopen

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pydantic import SecretStr

from scic.gateway.v1 import job_service_pb2 as pb
from scic.gateway.v1 import job_service_pb2_grpc as rpc
from services.chassis.server import start
from services.gateway import worker_app
from services.gateway.settings import GatewaySettings
from tests.laptop import ROOT, free_port
from tests.valkey import ALONE, CLUSTER, Valkey

KEYS = json.dumps({"keys": []})


@pytest.fixture(params=[ALONE, CLUSTER])
async def valkey(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Valkey]:
    server = Valkey(tmp_path, cluster=request.param)
    server.start()
    yield server
    server.kill()


async def test_it_answers_for_its_health_and_serves_metrics_and_nothing_else(valkey: Valkey) -> None:
    settings = GatewaySettings(
        role="worker",
        port=0,
        metrics_port=free_port(),
        drain_seconds=0,
        grace_seconds=1,
        keys=SecretStr(KEYS),
        redis_url=SecretStr(valkey.url),
        redis_cluster=valkey.cluster,
    )
    async with start(worker_app.build(settings), settings) as port:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            health = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await rpc.JobServiceStub(channel).GetJob(pb.GetJobRequest(job_id="a"), timeout=10)
        page = await asyncio.to_thread(read, f"http://127.0.0.1:{settings.metrics_port}/metrics")
    assert health.status == health_pb2.HealthCheckResponse.SERVING
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "context_jobs_running 0.0" in page


def read(url: str) -> str:
    with urlopen(url, timeout=10) as page:
        return str(page.read().decode())


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        pytest.param({}, "scic_gateway: a worker needs SCIC_GATEWAY_REDIS_URL: jobs wait in Redis", id="without Redis"),
        pytest.param(
            {"SCIC_GATEWAY_REDIS_URL": "http://me:secret@here"},
            "scic_gateway: SCIC_GATEWAY_REDIS_URL is not a redis://, rediss:// or unix:// URL",
            id="no URL of Redis",
        ),
    ],
)
async def test_a_worker_that_cannot_reach_jobs_does_not_start(variables: dict[str, str], sentence: str) -> None:
    own = {"SCIC_GATEWAY_ROLE": "worker", "SCIC_GATEWAY_KEYS": KEYS, "SCIC_GATEWAY_PORT": "0"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SCIC_")}
    ran = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.gateway"),
        env={**kept, **own, "SCIC_GATEWAY_METRICS_PORT": "0", **variables},
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await asyncio.wait_for(ran.communicate(), 60)
    assert (ran.returncode, said.decode().splitlines()[-1]) == (2, sentence)
