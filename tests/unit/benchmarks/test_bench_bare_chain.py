"""The ceiling really makes the calls."""

import grpc

from benchmarks.bare_chain import Hop, bare_chain
from benchmarks.ghz import METHOD


def test_the_entry_answers_by_way_of_three_processes() -> None:
    hops = [Hop(200, 60_000), Hop(5_000_000, 3_000), Hop(10, 10)]  # the second is above grpc's default limit
    with bare_chain(hops, b"reply") as address, grpc.insecure_channel(address) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{METHOD}")
        assert call(b"question", timeout=20) == b"reply"
