"""Settings of an installation: the environment, read once at the composition root, frozen, documented here.

Every name is prefixed with `SALAMBOT_`. A URL that is set replaces the embedded service of the same need.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "SALAMBOT_"

Network = IPv4Network | IPv6Network


def _networks(value: object) -> object:
    return [ip_network(part.strip()) for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _paths(value: object) -> object:
    return [Path(part) for part in value.split(":") if part.strip()] if isinstance(value, str) else value


class SettingsError(Exception):
    """A setting is wrong; the message names the variable and what it takes."""


class Settings(BaseSettings):
    """The settings of one process."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True)

    home: Path = Field(Path(".salambot"), description="Folder of everything an installation keeps.")
    http_host: str = Field("127.0.0.1", description="Address the gateway listens on.")
    http_port: int = Field(8080, ge=0, le=65535, description="Port of the gateway; 0 takes a free one.")
    grpc_host: str = Field("127.0.0.1", description="Address the gRPC server listens on.")
    grpc_port: int = Field(50051, ge=0, le=65535, description="Port of the gRPC server; 0 takes a free one.")
    peers: str = Field(
        "{component}:50051",
        description="Where components live that do not run in this process; `{component}` is replaced by the name.",
    )
    internal_secret: SecretStr | None = Field(
        None,
        min_length=32,
        description="Secret that components sign their calls to each other with, at least 32 characters; the same in "
        "all processes. Embedded: made at the first start and kept in the home folder.",
    )

    database_url: str | None = Field(None, description="Postgres for the app role. Embedded when not set.")
    database_owner_url: str | None = Field(
        None, description="Postgres for the role that owns the schema and migrates it; the app's URL when not set."
    )
    database_pool: int = Field(10, ge=2, le=200, description="Connections to Postgres a process keeps.")
    redis_url: str | None = Field(None, description="Redis. Embedded when not set.")
    triton_url: str | None = Field(None, description="Triton's gRPC address, host:port. Embedded when not set.")
    triton_venv: Path | None = Field(
        None, description="Virtual environment of the embedded Triton; in the home folder when not set."
    )
    embedded_triton: bool = Field(
        True, description="False serves the models with ONNX Runtime in process instead of an embedded Triton."
    )
    milvus_url: str | None = Field(None, description="Milvus (or a Milvus Lite file) for vectors.")
    qdrant_url: str | None = Field(None, description="Qdrant (or a folder for its local mode) for vectors.")
    qdrant_api_key: SecretStr | None = Field(None, description="Key for Qdrant.")
    vector_store: Literal["pgvector", "milvus", "qdrant"] | None = Field(
        None,
        description="Where vectors are of tenants that `salambot kb move` never moved; when not set, in Qdrant or Milvus "
        "where its URL is, else in pgvector.",
    )
    blobs_url: str | None = Field(
        None, description="Object store of documents (`s3://bucket`); a local folder when not set."
    )
    import_folders: Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_paths)] = Field(
        (),
        description="Folders of the server's disk that tenants may import documents from, with `:` between; none when not set.",
    )
    import_private_addresses: bool = Field(
        False, description="True lets imports read web pages and buckets at private addresses, those of an intranet."
    )
    models: Path = Field(
        Path(__file__).parents[2] / "model_repository",
        description="Folder of the ONNX models (a Triton model repository).",
    )

    llm_url: str | None = Field(
        None, description="An OpenAI-compatible server (vLLM, Ollama, LiteLLM …), with its /v1."
    )
    llm_api_key: SecretStr | None = Field(None, description="Key for that server.")
    llm_model: str | None = Field(None, description="Model to ask it for; its first one when not set.")
    llm_backends: Path | None = Field(
        None, description="TOML file that lists several model servers and their models, asked before that one."
    )

    rate_limit_per_minute: int = Field(
        60_000, ge=1, description="Requests a minute one API key may make, where the tenant has no limit of its own."
    )
    rate_limit_without_redis: Literal["allow", "deny"] = Field(
        "allow", description="What happens to requests while Redis, which counts them, is down."
    )
    metrics_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="Port of Prometheus metrics for processes without a gateway; off when not set.",
    )
    max_body_bytes: int = Field(1_048_576, ge=1024, description="Largest request body the gateway takes, in bytes.")
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)] = Field(
        "127.0.0.0/8, ::1/128",
        validate_default=True,
        description="Networks of the proxies whose `X-Forwarded-For` is believed, in CIDR notation with commas between.",
    )
    drain_seconds: float = Field(10.0, ge=0, description="How long a stopping server lets running calls finish.")
    retention_days: int = Field(
        90, ge=30, le=90, description="How long conversations are kept, where the tenant does not say."
    )
    otlp_endpoint: str | None = Field(
        None, description="OTLP gRPC endpoint for traces, e.g. http://127.0.0.1:4317; off when not set."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe log lines written."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="JSON lines, or lines for people; `auto`: people on a terminal."
    )

    @model_validator(mode="after")
    def _owner_of_the_same_database(self) -> Settings:
        if self.database_owner_url is not None and self.database_url is None:
            raise ValueError(f"{PREFIX}DATABASE_OWNER_URL needs {PREFIX}DATABASE_URL beside it")
        return self

    @model_validator(mode="after")
    def _a_vector_store_that_is_there(self) -> Settings:
        urls = {"milvus": self.milvus_url, "qdrant": self.qdrant_url}
        if self.vector_store in urls and urls[self.vector_store] is None:
            raise ValueError(f"{PREFIX}VECTOR_STORE={self.vector_store} needs {PREFIX}{self.vector_store.upper()}_URL")
        return self


def read_settings(**overrides: object) -> Settings:
    """Reads the environment; `overrides` win over it.

    Raises SettingsError naming the variable when a value is wrong.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        problems = [
            f"{PREFIX}{'_'.join(str(part) for part in problem['loc']).upper()}: {problem['msg']}"
            if problem["loc"]
            else problem["msg"].removeprefix("Value error, ")
            for problem in error.errors()
        ]
        raise SettingsError("; ".join(problems)) from None
