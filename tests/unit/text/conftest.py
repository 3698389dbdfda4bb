from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.text.encoder import Encoder
from services.text.model import model_file

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_file(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def encoder(model_path: Path) -> Encoder:
    return Encoder.load(model_path)
