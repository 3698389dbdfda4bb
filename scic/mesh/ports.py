"""Chooses TCP ports that are free on loopback."""

import random
import socket
from collections.abc import Iterator

# Below the ranges from which Linux (32768 up) and macOS (49152 up) take the ports of outgoing connections: a child that
# is started again finds its port still free.
_LOWEST, _HIGHEST = 18_000, 32_000
LOOPBACK = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port whose last connections are still in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_ports(rng: random.Random, *, but: int | None = None) -> Iterator[int]:
    """Distinct free ports in a row, from a random one on; never `but`, which is somebody's already.

    Between choice and use lie seconds, so two meshes that start at one moment could choose the same port. Two rows of
    28 meet once in 250 starts; 28 ports strewn over the range would meet once in 18.
    """
    first = rng.randrange(_LOWEST, _HIGHEST)
    for port in (*range(first, _HIGHEST), *range(_LOWEST, first)):
        if port != but and is_free(port):
            yield port
