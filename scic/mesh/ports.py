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


def free_ports(rng: random.Random) -> Iterator[int]:
    """Distinct free ports in random order, so that meshes started at one moment do not meet."""
    for port in rng.sample(range(_LOWEST, _HIGHEST), _HIGHEST - _LOWEST):
        if is_free(port):
            yield port
