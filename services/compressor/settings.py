"""The compressor's settings."""

from pathlib import Path

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import ServeSettings


class CompressorSettings(ServeSettings):
    """Read from variables that begin with SCIC_COMPRESSOR_."""

    model_config = SettingsConfigDict(env_prefix="SCIC_COMPRESSOR_")

    port: int = Field(50053, ge=0, le=65_535, description="gRPC port; 0 takes a free one.")
    metrics_port: int | None = Field(
        9053, ge=0, le=65_535, description="HTTP port of /metrics and /healthz; 0 takes a free one."
    )
    model_dir: Path = Field(description="Folder of the encoder's model file; it is made there where it is missing.")
    log_requests: bool = Field(
        default=False, description="Whether a request that succeeds gets a line; the gateway writes one already."
    )
    summary_model: str | None = Field(
        default=None,
        description="Model that summarises at level heavy, as its provider names it; none: the best parts are kept.",
    )
    summary_url: str | None = Field(
        default=None,
        validate_default=True,
        pattern="^(https?://.+)?$",
        description="http:// or https:// URL of its OpenAI-compatible API, up to the version: `https://host/v1`.",
    )
    summary_api_key: SecretStr | None = Field(
        default=None, description="The API key of that model; none where its provider asks none."
    )
    summary_timeout_seconds: float = Field(
        5.0, gt=0, le=60, description="Seconds that a summary may take; then the best parts are kept."
    )

    @field_validator("summary_url")
    @classmethod
    def _there_where_a_model_is(cls, value: str | None, info: ValidationInfo) -> str | None:
        if info.data.get("summary_model") and not value:
            raise PydanticCustomError("missing", "missing")
        return value

    @field_validator("summary_url", "summary_api_key")
    @classmethod
    def _only_where_a_model_is(cls, value: str | SecretStr | None, info: ValidationInfo) -> str | SecretStr | None:
        if value and not info.data.get("summary_model"):
            raise PydanticCustomError("alone", "nothing, or the name of a model in SCIC_COMPRESSOR_SUMMARY_MODEL")
        return value
