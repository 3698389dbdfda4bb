"""The bare hop."""

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from benchmarks.gateway.echo import echo_servers
from benchmarks.ghz import METHOD


def test_every_process_answers_with_the_bytes_and_says_that_it_is_healthy() -> None:
    with echo_servers(b"reply", processes=2) as addresses:
        assert len(set(addresses)) == 2
        for address in addresses:
            with grpc.insecure_channel(address) as channel:
                call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{METHOD}")
                assert call(b"question", timeout=20) == b"reply"
                health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=20)
                assert health.status == health_pb2.HealthCheckResponse.SERVING
