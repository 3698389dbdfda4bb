"""The composer's settings."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import ServeSettings


class ComposerSettings(ServeSettings):
    """Read from variables that begin with SCIC_COMPOSER_."""

    model_config = SettingsConfigDict(env_prefix="SCIC_COMPOSER_")

    port: int = Field(50054, ge=0, le=65_535, description="gRPC port; 0 takes a free one.")
    metrics_port: int | None = Field(
        9054, ge=0, le=65_535, description="HTTP port of /metrics and /healthz; 0 takes a free one."
    )
    log_requests: bool = Field(
        default=False, description="Whether a request that succeeds gets a line; the gateway writes one already."
    )
