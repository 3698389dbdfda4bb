"""The gateway's settings."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, Json, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import ServeSettings
from services.gateway.callers.authentication import METHODS
from services.gateway.limits.declarations import LimitDeclarationError, declared_limits
from services.gateway.recipes.pin_patterns import expectation_of
from services.gateway.sources.declarations import SourceDeclarationError, declared_sources


def _pin_pattern(pattern: str) -> str:
    if expectation := expectation_of(pattern):
        raise PydanticCustomError("pattern", "patterns, each of which {expectation}", {"expectation": expectation})
    return pattern


_Pattern = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_pin_pattern)]
_Patterns = Annotated[tuple[_Pattern, ...], Field(max_length=16)]


class GatewaySettings(ServeSettings):
    """Read from variables that begin with SCIC_GATEWAY_."""

    model_config = SettingsConfigDict(env_prefix="SCIC_GATEWAY_")

    port: int = Field(50051, ge=0, le=65_535, description="gRPC port; 0 takes a free one.")
    metrics_port: int | None = Field(
        9051, ge=0, le=65_535, description="HTTP port of /metrics and /healthz; 0 takes a free one."
    )
    selector_address: str = Field("127.0.0.1:15052", description="host:port of the selector, the sidecar's listener.")
    compressor_address: str = Field(
        "127.0.0.1:15053", description="host:port of the compressor, the sidecar's listener."
    )
    composer_address: str = Field("127.0.0.1:15054", description="host:port of the composer, the sidecar's listener.")
    keys_file: Path | None = Field(
        None,
        description='JSON file of API keys: {"keys": [{"id", "sha256", "tenant", "roles", "groups", "trust", '
        '"priority"}]}.',
    )
    keys: SecretStr | None = Field(None, description="The same JSON in the variable itself, instead of a file.")
    redis_url: SecretStr | None = Field(
        None, description="redis://, rediss:// or unix:// URL of the cache; none: nothing is cached."
    )
    redis_cluster: bool = Field(default=False, description="Whether that URL is a node of a Redis Cluster.")
    cache_ttl_seconds: float = Field(3600.0, gt=0, le=604_800, description="Seconds that a cached context may live.")
    cache_new_documents_seconds: float = Field(
        60.0,
        ge=0,
        le=604_800,
        description="Seconds that a cached context may miss documents that came in after it was built; changes of "
        "documents that it names end it at once.",
    )
    cache_max_bytes: int = Field(
        64 << 20, ge=1 << 20, le=1 << 40, description="Bytes of cached contexts and selections that a tenant may have."
    )
    cache_semantic: bool = Field(
        default=False, description="Whether a question may be answered by the context of one that says the same."
    )
    default_model: str = Field("gpt-4o", description="Model whose encoding counts where a request names none.")

    selection_ttl_seconds: float = Field(
        3_600.0, gt=0, le=604_800, description="Seconds that what a source gave may stand in for it when it fails."
    )
    sources: str = Field(
        "{}", description="JSON object, name to fields: sources beside the built-in ones, or other fields for those."
    )

    pin_patterns: Json[_Patterns] = Field(
        "[]",
        validate_default=True,
        description="JSON list of at most 16 RE2 patterns: what they match is not maimed by any compression.",
    )

    storage_url: SecretStr | None = Field(
        None,
        description="Object storage of profiles and ledger: file:///folder, s3://bucket/prefix, gs:// or az://; none: "
        "the built-in profile only, and no ledger.",
    )
    shared_profiles_tenant: str | None = Field(
        None, description="Tenant whose profiles all tenants may follow, beneath their own; none: nobody's."
    )
    profile_keep_days: float = Field(
        90.0, gt=0, le=36_500, description="Days that a version of a profile is kept which no label leads to."
    )
    profile_keep_count: int = Field(
        20, ge=1, le=1000, description="Newest versions of a profile that are kept however old they are."
    )
    ledger: bool = Field(default=True, description="Whether requests are recorded, where there is a storage.")
    quality: bool = Field(default=True, description="Whether replies carry quality figures.")
    ledger_days: float = Field(7.0, gt=0, le=3_650, description="Days that a record of the ledger is kept.")
    ledger_max_records: int = Field(
        100_000, ge=100, le=10_000_000, description="Newest records of a tenant that are kept in the ledger's index."
    )
    page_port: int | None = Field(
        9151, ge=0, le=65_535, description="HTTP port of the ledger's page; 0 takes a free one, none: no page."
    )

    role: Literal["gateway", "worker"] = Field(
        "gateway", description="`gateway` serves the API; `worker` does jobs, and serves health and metrics only."
    )
    worker_jobs: int = Field(4, ge=1, le=256, description="Jobs that a worker does at a time.")
    job_lease_seconds: float = Field(
        15.0, ge=1, le=3_600, description="Seconds after which the jobs of a worker that is gone are taken over."
    )
    job_max_bytes: int = Field(
        4 << 20, ge=1024, le=16 << 20, description="Largest job in bytes: its requests or documents, serialized."
    )
    jobs_max_waiting: int = Field(20_000, ge=1, le=10_000_000, description="Jobs of a tenant that may wait at a time.")
    jobs_max_bytes: int = Field(
        256 << 20,
        ge=1 << 20,
        le=1 << 40,
        description="Bytes in Redis that jobs of a tenant and their results may have, until they are forgotten.",
    )
    limits: str = Field(
        "[]",
        description="JSON list of rules: requests and tokens that a tenant may use of a method in a window of seconds.",
    )
    max_requests: int = Field(
        2048,
        ge=16,
        le=100_000,
        description="Requests at a time, streams of documents included; above 80 % those of keys with priority low are "
        "refused, above 95 % those with normal, too.",
    )
    max_streams: int = Field(
        1024,
        ge=1,
        le=100_000,
        description="Streams that one API key has open at a time, watches of jobs and streams of documents together.",
    )
    max_builds: int = Field(
        64,
        ge=1,
        le=10_000,
        description="Contexts that are built at a time at most; it finds out by itself how many are wise.",
    )
    default_deadline_seconds: float = Field(
        10.0, ge=0.05, le=3_600, description="Seconds for a request without a deadline whose profile names none."
    )
    max_deadline_seconds: float = Field(
        60.0, ge=0.05, le=3_600, description="Seconds for a request at most, whatever its caller or profile says."
    )

    @field_validator("sources")
    @classmethod
    def _sources_make_sense(cls, value: str) -> str:
        try:
            declared_sources(value)
        except SourceDeclarationError as error:
            raise PydanticCustomError(
                "sources", "a JSON object of sources; {mistakes}", {"mistakes": str(error)}
            ) from None
        return value

    @field_validator("limits")
    @classmethod
    def _limits_make_sense(cls, value: str) -> str:
        try:
            declared_limits(value, METHODS)
        except LimitDeclarationError as error:
            raise PydanticCustomError("limits", "a JSON list of rules; {mistakes}", {"mistakes": str(error)}) from None
        return value

    @model_validator(mode="after")
    def _limits_are_counted_somewhere(self) -> Self:
        if self.redis_url is None and declared_limits(self.limits, METHODS):
            raise ValueError("SCIC_GATEWAY_LIMITS needs SCIC_GATEWAY_REDIS_URL: that is where all gateways count")
        return self

    @model_validator(mode="after")
    def _one_place_for_keys(self) -> Self:
        if (self.keys_file is None) == (self.keys is None):
            raise ValueError("set exactly one of SCIC_GATEWAY_KEYS_FILE and SCIC_GATEWAY_KEYS")
        return self
