"""What several rings share: the laptop mesh, started once."""

import signal
from collections.abc import Iterator

import pytest

from tests.laptop import LaptopMesh, start_mesh

TENANTS = tuple(f"tenant-{number}" for number in range(128))
"""A tenant is a wall, so tests that share a mesh each take one of their own."""


def pytest_configure() -> None:
    """Who starts the tests in the background lets them ignore Ctrl-C; the commands under test must not inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def laptop_mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LaptopMesh]:
    """One mesh as processes for all tests that leave it as healthy as they found it."""
    running = start_mesh(tmp_path_factory.mktemp("mesh"), TENANTS)
    yield running
    running.down()


@pytest.fixture(scope="session")
def unused_tenants() -> Iterator[str]:
    return iter(TENANTS)


@pytest.fixture
def tenant(unused_tenants: Iterator[str]) -> str:
    """A tenant that no other test of this run uses."""
    return next(unused_tenants)
