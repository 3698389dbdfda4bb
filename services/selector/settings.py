"""The selector's settings."""

from pathlib import Path
from typing import Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import ServeSettings


class RemoteModel(BaseModel):
    """An embedding model behind an OpenAI-compatible API."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(pattern="^https?://")
    model: str = Field(min_length=1)
    dimension: int = Field(ge=1, le=16_384)
    api_key: SecretStr | None = None


_REMOTE_MODELS = TypeAdapter(tuple[RemoteModel, ...])


class SelectorSettings(ServeSettings):
    """Read from variables that begin with SCIC_SELECTOR_."""

    model_config = SettingsConfigDict(env_prefix="SCIC_SELECTOR_")

    port: int = Field(50052, ge=0, le=65_535, description="gRPC port; 0 takes a free one.")
    metrics_port: int | None = Field(
        9052, ge=0, le=65_535, description="HTTP port of /metrics and /healthz; 0 takes a free one."
    )
    store: Literal["embedded", "weaviate"] = Field(
        default="embedded", description="Where corpora are: in files of this machine, or in Weaviate."
    )
    data_dir: Path | None = Field(
        default=None,
        validate_default=True,
        description="Folder of the corpora of the embedded store. Several selectors may share it.",
    )
    weaviate_url: str | None = Field(
        default=None, validate_default=True, description="http:// or https:// URL of Weaviate."
    )
    weaviate_grpc_port: int = Field(50051, ge=1, le=65_535, description="Weaviate's gRPC port, on the same host.")
    weaviate_api_key: SecretStr | None = Field(default=None, description="Weaviate's API key; none where it asks none.")
    redis_url: SecretStr | None = Field(
        default=None,
        validate_default=True,
        description="redis://, rediss:// or unix:// URL of what lets writers of a Weaviate corpus take turns.",
    )
    redis_cluster: bool = Field(default=False, description="Whether that URL is a node of a Redis Cluster.")
    model_dir: Path = Field(description="Folder of the encoder's model file; it is made there where it is missing.")
    embeddings: SecretStr | None = Field(
        default=None,
        description="JSON list of models behind OpenAI-compatible APIs, {url, model, dimension, api_key} each. Corpora "
        "are searched by the first, and moved to it in the background; the others answer until that is done. None: the "
        "local model.",
    )
    maintenance_seconds: float = Field(
        30.0, gt=0, le=3_600, description="Seconds between two rounds that remove expired documents and move corpora."
    )
    max_request_bytes: int = Field(
        60 * 1024 * 1024,
        ge=1024,
        le=60 * 1024 * 1024,
        description="Largest request message in bytes: a document of 4 MiB comes with its vectors and signals at once.",
    )
    log_requests: bool = Field(
        default=False, description="Whether a request that succeeds gets a line; the gateway writes one already."
    )

    @field_validator("embeddings")
    @classmethod
    def _readable(cls, value: SecretStr | None) -> SecretStr | None:
        try:
            _REMOTE_MODELS.validate_json(value.get_secret_value() if value else "[]")
        except ValidationError as error:
            # Where, and what is expected; never what was given, which may be a key.
            problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'list'}: {e['msg']}" for e in error.errors())
            raise ValueError(problems) from None
        return value

    @field_validator("data_dir", "weaviate_url", "redis_url")
    @classmethod
    def _there_where_its_store_needs_it(cls, value: object, info: ValidationInfo) -> object:
        needed_by = "embedded" if info.field_name == "data_dir" else "weaviate"
        if value is None and info.data.get("store") == needed_by:
            # As any other variable that is missing, so that all are named at once.
            raise PydanticCustomError("missing", "missing")
        return value

    @property
    def remote_models(self) -> tuple[RemoteModel, ...]:
        """The models of `embeddings`, the preferred one first."""
        return _REMOTE_MODELS.validate_json(self.embeddings.get_secret_value() if self.embeddings else "[]")
