import pytest

from services.gateway.guard.detect import default_detectors


@pytest.fixture(scope="session")
def detectors():
    """All of them, built once: that takes longer than all tests of them."""
    return default_detectors()
