"""Settings: every mistake at once, by the variable's name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import ServeSettings, SettingsError, load_settings, settings_or_exit


class KitchenSettings(ServeSettings):
    model_config = SettingsConfigDict(env_prefix="SCIC_KITCHEN_")

    port: int = Field(7000, ge=0, le=65_535, description="gRPC port.")
    store: str = Field(description="Directory of the store.")
    api_key: SecretStr | None = Field(None, min_length=8, description="Key of the provider.")
    names: Annotated[tuple[str, ...], BeforeValidator(lambda v: v.split(",") if isinstance(v, str) else v)] = Field(
        (), description="Names, separated by commas."
    )


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCIC_KITCHEN_STORE", "/data")


def mistakes() -> tuple[str, ...]:
    with pytest.raises(SettingsError) as raised:
        load_settings(KitchenSettings)
    return raised.value.mistakes


def test_reads_the_environment_over_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCIC_KITCHEN_PORT", "7001")
    monkeypatch.setenv("scic_kitchen_names", "a,b")
    settings = load_settings(KitchenSettings)
    assert (settings.port, settings.store, settings.names, settings.host) == (7001, "/data", ("a", "b"), "127.0.0.1")


def test_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load_settings(KitchenSettings).port = 1  # type: ignore[misc]  # that it is refused is the point


@pytest.mark.parametrize(
    ("variable", "given", "sentence"),
    [
        (
            "PORT",
            "http",
            "SCIC_KITCHEN_PORT is 'http'; expected: a valid integer, unable to parse string as an integer",
        ),
        ("PORT", "70000", "SCIC_KITCHEN_PORT is '70000'; expected: less than or equal to 65535"),
        ("PORT", "tcp://10.0.0.1:80", "SCIC_KITCHEN_PORT is 'tcp://10.0.0.1:80'; expected: a valid integer, "),
        ("DRAIN_SECONDS", "-1", "SCIC_KITCHEN_DRAIN_SECONDS is '-1'; expected: greater than or equal to 0"),
        ("LOG_LEVEL", "loud", "SCIC_KITCHEN_LOG_LEVEL is 'loud'; expected: 'debug', 'info', 'warning' or 'error'"),
        ("HOST", "", "SCIC_KITCHEN_HOST is ''; expected: String should have at least 1 character"),
        ("PROT", "1", "SCIC_KITCHEN_PROT is no setting; did you mean SCIC_KITCHEN_PORT?"),
        ("API_KEY", "hunter2", "SCIC_KITCHEN_API_KEY is a secret; expected: "),
    ],
)
def test_a_mistake_names_variable_given_and_expected(
    monkeypatch: pytest.MonkeyPatch, variable: str, given: str, sentence: str
) -> None:
    monkeypatch.setenv(f"SCIC_KITCHEN_{variable}", given)
    (mistake,) = mistakes()
    assert mistake.startswith(sentence)
    assert "hunter2" not in mistake


def test_a_missing_setting_says_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCIC_KITCHEN_STORE")
    assert mistakes() == ("SCIC_KITCHEN_STORE is missing; expected: Directory of the store.",)


def test_all_mistakes_come_at_once_with_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SCIC_KITCHEN_STORE")
    monkeypatch.setenv("SCIC_KITCHEN_PORT", "x")
    monkeypatch.setenv("SCIC_KITCHEN_GRACE_SECONDS", "soon")
    monkeypatch.setenv("SCIC_KITCHEN_TYPO", "1")
    with pytest.raises(SystemExit) as exit_:
        settings_or_exit(KitchenSettings)
    assert exit_.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "scic_kitchen: settings are wrong:"
    assert {line.split()[0] for line in lines[1:]} == {
        f"SCIC_KITCHEN_{name}" for name in ("STORE", "PORT", "GRACE_SECONDS", "TYPO")
    }


def test_the_readme_has_the_table() -> None:
    readme = (Path(__file__).parents[3] / "services" / "chassis" / "README.md").read_text()
    assert ServeSettings.describe().replace("SCIC_", "SCIC_<SERVICE>_") in readme


def test_describes_every_variable() -> None:
    table = KitchenSettings.describe()
    assert "| `SCIC_KITCHEN_PORT` | `7000` | gRPC port. |" in table
    assert "| `SCIC_KITCHEN_STORE` | required | Directory of the store. |" in table
    assert "| `SCIC_KITCHEN_METRICS_PORT` | none | " in table
    assert len(table.splitlines()) == 2 + len(KitchenSettings.model_fields)
    assert all(field.description for field in KitchenSettings.model_fields.values())
