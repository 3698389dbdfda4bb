"""The selector's settings."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import ServeSettings


class SelectorSettings(ServeSettings):
    """Read from variables that begin with SCIC_SELECTOR_."""

    model_config = SettingsConfigDict(env_prefix="SCIC_SELECTOR_")

    port: int = Field(50052, ge=0, le=65_535, description="gRPC port; 0 takes a free one.")
    metrics_port: int | None = Field(
        9052, ge=0, le=65_535, description="HTTP port of /metrics and /healthz; 0 takes a free one."
    )
    data_dir: Path = Field(description="Folder of the corpora. Several selectors may share it.")
    model_dir: Path = Field(description="Folder of the encoder's model file; it is made there where it is missing.")
    max_request_bytes: int = Field(
        60 * 1024 * 1024,
        ge=1024,
        le=60 * 1024 * 1024,
        description="Largest request message in bytes: a document of 4 MiB comes with its vectors and signals at once.",
    )
    log_requests: bool = Field(
        default=False, description="Whether a request that succeeds gets a line; the gateway writes one already."
    )
