"""A server, and a shell that calls it."""

from collections.abc import Iterator

import pytest

from tests.unit.cli.command import Run, runner
from tests.unit.cli.job_server import Server, served


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr("scic.client.job_methods.PAUSES", (0.0,))
    with served() as server:
        yield server


@pytest.fixture
def scic(server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `scic`."""
    return runner(server.address, monkeypatch, capsys)
