from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from gardenos.backup.settings import BackupSettings


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in BackupSettings.model_fields:
        monkeypatch.delenv(f"GARDENOS_BACKUP_{name.upper()}", raising=False)


def test_without_settings_backups_go_below_the_home(tmp_path: Path) -> None:
    settings = BackupSettings.load(tmp_path)
    assert settings.place(tmp_path).url == str(tmp_path / "backups")
    assert settings.keep == 7


def test_a_secret_may_be_a_file_and_the_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secrets").mkdir()
    for name in ("s3_access_key_id", "s3_secret_access_key"):
        (tmp_path / "secrets" / f"gardenos_backup_{name}").write_text(f"file's {name}")
    monkeypatch.setenv("GARDENOS_BACKUP_S3_ACCESS_KEY_ID", "the environment's")
    monkeypatch.setenv("GARDENOS_BACKUP_URL", "s3://bucket/prefix")
    place = BackupSettings.load(tmp_path).place(tmp_path)
    assert place.url == "s3://bucket/prefix"
    assert place.s3_access_key_id is not None
    assert place.s3_access_key_id.get_secret_value() == "the environment's"
    assert place.s3_secret_access_key is not None
    assert place.s3_secret_access_key.get_secret_value() == "file's s3_secret_access_key"
    assert "file's" not in repr(place)


def test_none_cannot_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GARDENOS_BACKUP_KEEP", "0")
    with pytest.raises(ValidationError):
        BackupSettings.load(tmp_path)
