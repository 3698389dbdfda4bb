"""The compressor's settings."""

from pathlib import Path

from pydantic import Field
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
