"""Settings: read once, at the edge, from the environment, into a frozen object; every mistake reported at once."""

from __future__ import annotations

import difflib
import os
import sys
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

_BAD_SETTINGS_EXIT_CODE = 2


class SettingsError(Exception):
    """Some settings are wrong; the message has one line for each."""

    def __init__(self, mistakes: tuple[str, ...]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class ServiceSettings(BaseSettings):
    """Base of every service's settings.

    A subclass sets `model_config = SettingsConfigDict(env_prefix="SCIC_NAME_")` and declares fields with a default
    where one makes sense and a `description` that names the unit. Secrets are `SecretStr`. Values arrive as strings: a
    field of several values has its own validator.
    """

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        frozen=True, extra="forbid", enable_decoding=False, env_prefix="SCIC_"
    )

    @classmethod
    def variable(cls, field: str) -> str:
        """Name the environment variable of a field."""
        return f"{cls.model_config.get('env_prefix', '')}{field}".upper()

    @classmethod
    def service_name(cls) -> str:
        """Name the service as logs and messages do: `scic_gateway`."""
        return cls.variable("").strip("_").lower()

    @classmethod
    def describe(cls) -> str:
        """Render the Markdown table of the variables for the service's README."""
        rows = [
            f"| `{cls.variable(name)}` | {_default(info)} | {info.description or ''} |"
            for name, info in cls.model_fields.items()
        ]
        return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows]) + "\n"


class ServeSettings(ServiceSettings):
    """What `serve` needs; a service's settings extend it and give `port` and `metrics_port` defaults."""

    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen on.")
    port: int = Field(ge=0, le=65_535, description="gRPC port; 0 takes a free one.")
    metrics_port: int | None = Field(
        default=None,
        ge=0,
        le=65_535,
        description="HTTP port of /metrics and /healthz; 0 takes a free one, none serves neither.",
    )
    drain_seconds: float = Field(
        default=1.5,
        ge=0,
        le=300,
        description="Seconds to go on serving after a stop signal while health says NOT_SERVING: three health check "
        "intervals of the balancer.",
    )
    grace_seconds: float = Field(
        default=10.0,
        ge=0,
        le=300,
        description="Seconds that requests under way may take after that before they are cancelled.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level that is logged."
    )
    log_requests: bool = Field(
        default=True, description="Whether a request that succeeds gets a line; one that fails always does."
    )
    max_request_bytes: int = Field(
        default=16 * 1024 * 1024, ge=1024, le=60 * 1024 * 1024, description="Largest request message in bytes."
    )


_Settings = TypeVar("_Settings", bound=ServiceSettings)


def load_settings(cls: type[_Settings]) -> _Settings:
    """Read the settings from the environment.

    Raises SettingsError that names every variable that is wrong, what was given and what is expected; a variable with
    the service's prefix that is no setting is a mistake too, because a typing error would else pass for a default.
    """
    mistakes = _unknown_variables(cls)
    try:
        settings = cls()
    except ValidationError as error:
        mistakes += [_sentence(cls, details) for details in error.errors(include_url=False)]
        raise SettingsError(tuple(mistakes)) from None
    if mistakes:
        raise SettingsError(tuple(mistakes))
    return settings


def settings_or_exit(cls: type[_Settings]) -> _Settings:
    """Read the settings, or list the mistakes on stderr and exit with code 2."""
    try:
        return load_settings(cls)
    except SettingsError as error:
        sys.stderr.write(f"{cls.service_name()}: settings are wrong:\n{error}\n")
        raise SystemExit(_BAD_SETTINGS_EXIT_CODE) from None


def _sentence(cls: type[ServiceSettings], details: Any) -> str:
    if not details["loc"]:
        return str(details["msg"])
    name = str(details["loc"][0])
    if details["type"] == "missing":
        return f"{cls.variable(name)} is missing; expected: {cls.model_fields[name].description or name}"
    secret = SecretStr in (
        cls.model_fields[name].annotation,
        *getattr(cls.model_fields[name].annotation, "__args__", ()),
    )
    given = "a secret" if secret else repr(details["input"])
    return f"{cls.variable(name)} is {given}; expected: {details['msg'].removeprefix('Input should be ')}"


def _unknown_variables(cls: type[ServiceSettings]) -> list[str]:
    prefix = cls.variable("")
    known = {cls.variable(name) for name in cls.model_fields}
    mistakes = []
    for variable in sorted(os.environ):
        if variable.upper().startswith(prefix) and variable.upper() not in known:
            near = difflib.get_close_matches(variable.upper(), known, n=1)
            mistakes.append(f"{variable} is no setting" + (f"; did you mean {near[0]}?" if near else ""))
    return mistakes


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    value = info.get_default(call_default_factory=True, validated_data={})
    return "none" if value is None else f"`{value}`"
