"""`python -m services.<name>` with bad settings: exit code 2 and every mistake at once, before any work."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.laptop import ROOT


def run_service(name: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SCIC_")}
    return subprocess.run(
        [sys.executable, "-m", f"services.{name}"],
        cwd=ROOT,
        env={**kept, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


KEYS = '{"keys": []}'
PORTS = {"SCIC_GATEWAY_PORT": "0", "SCIC_GATEWAY_METRICS_PORT": "0"}


@pytest.mark.parametrize(
    ("service", "env", "mistakes"),
    [
        pytest.param("gateway", {}, ["SCIC_GATEWAY_KEYS_FILE and SCIC_GATEWAY_KEYS"], id="gateway, nothing set"),
        pytest.param(
            "selector",
            {},
            ["SCIC_SELECTOR_DATA_DIR is missing", "SCIC_SELECTOR_MODEL_DIR is missing"],
            id="selector, nothing set",
        ),
        pytest.param(
            "selector",
            {"SCIC_SELECTOR_STORE": "weaviate", "SCIC_SELECTOR_EMBEDDINGS": '[{"url": "ftp", "key": "sk-secret"}]'},
            [
                "SCIC_SELECTOR_WEAVIATE_URL is missing",
                "SCIC_SELECTOR_REDIS_URL is missing",
                "SCIC_SELECTOR_MODEL_DIR is missing",
                "SCIC_SELECTOR_EMBEDDINGS is a secret; expected: ",
            ],
            id="selector, Weaviate half set",
        ),
        pytest.param("compressor", {}, ["SCIC_COMPRESSOR_MODEL_DIR is missing"], id="compressor, nothing set"),
        pytest.param(
            "composer",
            {
                "SCIC_COMPOSER_PORT": "many",
                "SCIC_COMPOSER_PROT": "1",
                "SCIC_COMPOSER_LOG_LEVEL": "loud",
                "SCIC_COMPOSER_DRAIN_SECONDS": "-1",
            },
            [
                "SCIC_COMPOSER_PROT is no setting; did you mean SCIC_COMPOSER_PORT?",
                "SCIC_COMPOSER_PORT is 'many'; expected: ",
                "SCIC_COMPOSER_DRAIN_SECONDS is '-1'; expected: ",
                "SCIC_COMPOSER_LOG_LEVEL is 'loud'; expected: ",
            ],
            id="composer, all wrong",
        ),
        pytest.param(
            "gateway",
            {"SCIC_GATEWAY_KEYS": KEYS, "SCIC_GATEWAY_KEYS_FILE": "keys.json"},
            ["set exactly one of SCIC_GATEWAY_KEYS_FILE and SCIC_GATEWAY_KEYS"],
            id="gateway, keys twice",
        ),
        pytest.param(
            "gateway",
            {"SCIC_GATEWAY_KEYS": KEYS, "SCIC_GATEWAY_CACHE_TTL_SECONDS": "0", "SCIC_GATEWAY_METRICS_PORT": "70000"},
            ["SCIC_GATEWAY_METRICS_PORT is '70000'; expected: ", "SCIC_GATEWAY_CACHE_TTL_SECONDS is '0'; expected: "],
            id="gateway, out of range",
        ),
    ],
)
def test_every_mistake_is_listed(service: str, env: Mapping[str, str], mistakes: list[str]) -> None:
    done = run_service(service, env)
    assert done.returncode == 2
    first, *lines = done.stderr.splitlines()
    assert first == f"scic_{service}: settings are wrong:"
    assert len(lines) == len(mistakes)
    for line, mistake in zip(lines, mistakes, strict=True):
        assert mistake in line


@pytest.mark.parametrize(
    ("env", "sentence"),
    [
        pytest.param({"SCIC_GATEWAY_KEYS_FILE": "/nowhere/keys.json"}, "/nowhere/keys.json: cannot be read", id="file"),
        pytest.param({"SCIC_GATEWAY_KEYS": "{"}, "SCIC_GATEWAY_KEYS: ", id="no JSON"),
        pytest.param({"SCIC_GATEWAY_KEYS": '{"keys": [{"id": "a"}]}'}, "keys.0.sha256", id="a key without its hash"),
        pytest.param(
            {"SCIC_GATEWAY_KEYS": KEYS, "SCIC_GATEWAY_DEFAULT_MODEL": "gpt-99"},
            "SCIC_GATEWAY_DEFAULT_MODEL: no token encoding is known for model 'gpt-99'",
            id="model",
        ),
        pytest.param(
            {"SCIC_GATEWAY_KEYS": KEYS, "SCIC_GATEWAY_REDIS_URL": "http://:secret@elsewhere"},
            "SCIC_GATEWAY_REDIS_URL is not a redis://, rediss:// or unix:// URL",
            id="Redis URL of another kind",
        ),
        pytest.param(
            {"SCIC_GATEWAY_KEYS": KEYS, "SCIC_GATEWAY_REDIS_URL": "redis://:secret@elsewhere:secret"},
            "SCIC_GATEWAY_REDIS_URL is not a redis://, rediss:// or unix:// URL",
            id="Redis port",
        ),
    ],
)
def test_a_gateway_that_cannot_start_says_why_in_one_sentence(env: Mapping[str, str], sentence: str) -> None:
    assert_cannot_start(run_service("gateway", {**PORTS, **env}), "scic_gateway", sentence)


def assert_cannot_start(done: subprocess.CompletedProcess[str], service: str, sentence: str) -> None:
    """One line beside the log, which is JSON."""
    assert done.returncode == 2, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert line.startswith(f"{service}: ")
    assert sentence in line
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr


def test_a_selector_whose_folder_is_a_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    env = {
        "SCIC_SELECTOR_PORT": "0",
        "SCIC_SELECTOR_METRICS_PORT": "0",
        "SCIC_SELECTOR_DATA_DIR": str(tmp_path / "file"),
        "SCIC_SELECTOR_MODEL_DIR": str(tmp_path / "models"),
    }
    assert_cannot_start(run_service("selector", env), "scic_selector", str(tmp_path / "file"))
