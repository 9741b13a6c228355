"""Settings, read once at the composition root: environment first, then the home's secrets folder."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, SecretStr, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from gardenos.core import places

ENV_PREFIX = "GARDENOS_"
SECRETS_FOLDER = "secrets"

Price: TypeAlias = Annotated[Decimal, Field(ge=0)]


def default_home() -> Path:
    """Where an installation keeps its data: `GARDENOS_HOME`, else `.garden` in the working folder."""
    return Path(os.environ.get(f"{ENV_PREFIX}HOME") or ".garden").expanduser().absolute()


class Settings(BaseSettings):
    """Everything an installation can be told, each as `GARDENOS_<NAME>`.

    A secret may also be a file `<home>/secrets/gardenos_<name>`, the shape in which Kubernetes and
    Docker mount secrets; the environment wins over the file.
    """

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, extra="ignore", frozen=True)

    home: Path = Field(default_factory=default_home)

    database_url: SecretStr | None = None
    """The app's own login (no superuser, no BYPASSRLS). Absent until `gardenos up` has run."""
    admin_database_url: SecretStr | None = None
    """A login that may create roles and schemas; only `migrate` and `up` use it."""
    database_pool_max: int = Field(default=10, ge=1, le=200)

    http_port: int = Field(default=8000, ge=1, le=65535)
    dashboard_port: int = Field(default=8265, ge=1, le=65535)
    ray_port: int = Field(default=6379, ge=1, le=65535)
    public_url: str = Field(
        default_factory=lambda settings: f"http://127.0.0.1:{settings['http_port']}"
    )
    """Where clients reach this installation; the issuer of its tokens is derived from it."""
    max_body_bytes: int = Field(default=1_048_576, ge=1024)
    max_bulk_bytes: int = Field(default=64 * 1_048_576, ge=1024)
    """A bulk request is held in memory."""
    max_import_bytes: int = Field(default=2_048 * 1_048_576, ge=1024)
    """A file is held on disk, then in the database."""
    max_import_unpacked_bytes: int = Field(default=4_096 * 1_048_576, ge=1024)

    rate_limit_agency: int = Field(default=30_000, ge=0, le=10_000_000)
    """Requests a minute of one agency, over all gateways; 0 for no limit."""
    rate_limit_user: int = Field(default=6_000, ge=0, le=10_000_000)
    """The same of one member, and of one API key."""
    rate_limit_address: int = Field(default=60, ge=0, le=10_000_000)
    """Attempts a minute to sign in or up from one address."""
    trusted_proxies: int = Field(default=0, ge=0, le=10)
    """How many proxies of ours add to X-Forwarded-For in front of a gateway."""

    cursor_secret: SecretStr | None = None
    jwt_secret: SecretStr | None = None
    """HS256 secret shared with Supabase's services, at least 32 bytes."""
    jwt_signing_key: SecretStr | None = None
    """PEM of the P-256 key that signs the tokens of the built-in sign-in (ES256)."""
    jwt_audience: str = "authenticated"
    jwt_issuer: str | None = None
    """Tokens of another issuer are refused; default `<public_url>/auth/v1`."""
    jwks_url: str | None = None
    """Where an external GoTrue publishes its keys; its tokens are then taken beside our own."""
    jwks_issuer: str | None = None
    """The `iss` of that GoTrue's tokens; default what `jwks_url` begins with, before /.well-known."""
    access_token_ttl_s: int = Field(default=3600, ge=30, le=604_800)
    signup: Literal["open", "closed"] = "open"

    llm_provider: Literal["auto", "rules", "openai"] = "auto"
    """`auto` is `openai` where an API key is set, else `rules`."""
    llm_base_url: str = "https://api.deepinfra.com/v1/openai"
    llm_model: str = "deepseek-ai/DeepSeek-V3-0324"
    llm_api_key: SecretStr | None = None
    llm_timeout_s: float = Field(default=30.0, gt=0, le=600)
    llm_prices: dict[str, tuple[Price, Price]] = Field(default_factory=dict)
    """US dollars per million (input, output) tokens by model, beyond the prices known here."""

    task_keep_days: int = Field(default=30, ge=1, le=3650)
    """How long tasks are kept that succeeded or were cancelled; dead ones stay."""
    webhooks_allow_http: bool = False
    """Take webhooks whose URL is not https."""
    webhooks_allow_private: bool = False
    """Send webhooks to addresses that are not public, such as this machine's network."""
    events_keep_hours: int = Field(default=72, ge=1, le=8760)
    """How long after it a change can be told to who comes back to `/events`."""
    task_lease_s: float = Field(default=30.0, ge=1, le=3600)
    """How long a crashed worker's tasks wait before another may take them."""

    deleted_keep_days: int = Field(default=30, ge=1, le=3650)
    """How long deleted records can be restored; then they are removed for good."""

    attachments_url: str | None = None
    """A folder, `file://` and its path, or `s3://bucket/prefix`; default `attachments` of the home."""
    attachments_s3_endpoint: str | None = None
    attachments_s3_region: str | None = None
    attachments_s3_access_key_id: SecretStr | None = None
    attachments_s3_secret_access_key: SecretStr | None = None
    attachment_max_bytes: int = Field(default=25 * 1_048_576, ge=1)
    attachment_media_types: tuple[str, ...] = (
        "image/*",
        "audio/*",
        "video/*",
        "text/*",
        "message/*",
        "application/pdf",
        "application/json",
        "application/zip",
        "application/rtf",
        "application/msword",
        "application/vnd.*",
    )
    """Patterns of what may be attached."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("attachments_url")
    @classmethod
    def _names_a_place(cls, value: str | None) -> str | None:
        try:
            places.folder_of(value or "")
        except ValueError as error:
            raise PydanticCustomError("place", "{said}", {"said": str(error)}) from None
        return value

    @property
    def issuer(self) -> str:
        """The `iss` of the tokens made here."""
        return self.jwt_issuer or f"{self.public_url.rstrip('/')}/auth/v1"

    @property
    def external_issuer(self) -> str | None:
        """The `iss` of an external GoTrue's tokens; None without one."""
        if self.jwks_issuer or self.jwks_url is None:
            return self.jwks_issuer
        return self.jwks_url.removesuffix("/.well-known/jwks.json")

    @classmethod
    def load(cls, home: Path | None = None) -> Self:
        """Read the environment and the secrets folder of `home` (default: `default_home()`)."""
        where = (home or default_home()).expanduser().absolute()
        folder = where / SECRETS_FOLDER
        secrets = folder if folder.is_dir() else None
        return cls(home=where, _secrets_dir=secrets)  # pyright: ignore[reportCallIssue] documented by pydantic-settings, absent from its signature
