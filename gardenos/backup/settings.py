"""The settings of backups, each as `GARDENOS_BACKUP_<NAME>`."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from gardenos.backup.store import Place
from gardenos.core.config import ENV_PREFIX, SECRETS_FOLDER


class BackupSettings(BaseSettings):
    """Where backups go, and how many stay. A secret may also be a file of the home's secrets folder."""

    model_config = SettingsConfigDict(
        env_prefix=f"{ENV_PREFIX}BACKUP_", extra="ignore", frozen=True
    )

    url: str | None = None
    """A folder or `s3://bucket/prefix`; by default the folder `backups` of the home."""
    database_url: SecretStr | None = None
    """A login that may replicate; by default the one that migrates."""
    keep: int = Field(default=7, ge=1)
    """How many full backups stay."""
    s3_endpoint: str | None = None
    s3_region: str | None = None
    s3_access_key_id: SecretStr | None = None
    s3_secret_access_key: SecretStr | None = None

    @classmethod
    def load(cls, home: Path) -> Self:
        """Read the environment and the secrets folder of `home`."""
        folder = home / SECRETS_FOLDER
        return cls(_secrets_dir=folder if folder.is_dir() else None)  # pyright: ignore[reportCallIssue] documented by pydantic-settings, absent from its signature

    def place(self, home: Path) -> Place:
        """Where the backups of the installation in `home` are."""
        return Place(
            url=self.url or str(home / "backups"),
            s3_endpoint=self.s3_endpoint,
            s3_region=self.s3_region,
            s3_access_key_id=self.s3_access_key_id,
            s3_secret_access_key=self.s3_secret_access_key,
        )
