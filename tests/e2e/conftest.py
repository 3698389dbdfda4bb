"""A whole mesh as processes: real Envoy, real Valkey, two replicas of each service, started by `scic up`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.laptop import LaptopMesh, start_mesh


@pytest.fixture(scope="session")
def mesh(laptop_mesh: LaptopMesh) -> LaptopMesh:
    """The mesh that all tests share which leave it as healthy as they found it."""
    return laptop_mesh


@pytest.fixture
def own_mesh(tmp_path: Path) -> Iterator[LaptopMesh]:
    """A mesh of the test's own, to be broken."""
    running = start_mesh(tmp_path / "mesh", ("other",))
    yield running
    running.down()
