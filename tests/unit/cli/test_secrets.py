from __future__ import annotations

from pathlib import Path

import pytest

from gardenos.cli import secrets
from gardenos.cli.home import Home, write_private
from gardenos.core.config import Settings


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.make()
    return home


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_every_secret_is_readable_by_its_owner_only(home: Home) -> None:
    made = secrets.ensure(home, {**secrets.GENERATORS, **secrets.EMBEDDED})
    assert set(made) == {path.name for path in home.secrets.iterdir()}
    assert {mode(path) for path in home.secrets.iterdir()} == {0o600}
    assert mode(home.secrets) == 0o700


def test_secrets_are_generated_for_each_installation_alone(tmp_path: Path) -> None:
    first, second = Home(tmp_path / "first"), Home(tmp_path / "second")
    for home in (first, second):
        home.make()
        secrets.ensure(home, {**secrets.GENERATORS, **secrets.EMBEDDED})
    for path in first.secrets.iterdir():
        assert path.read_text() != (second.secrets / path.name).read_text()


def test_a_second_run_changes_no_secret(home: Home) -> None:
    secrets.ensure(home, secrets.GENERATORS)
    before = {path.name: path.read_text() for path in home.secrets.iterdir()}
    assert secrets.ensure(home, secrets.GENERATORS) == []
    assert {path.name: path.read_text() for path in home.secrets.iterdir()} == before


def test_a_secret_copied_in_with_an_open_mode_is_closed(home: Home) -> None:
    path = home.secrets / "gardenos_cursor_secret"
    path.write_text("brought along")
    path.chmod(0o644)
    secrets.ensure(home, secrets.GENERATORS)
    assert path.read_text() == "brought along"
    assert mode(path) == 0o600


def test_the_settings_read_what_was_generated(home: Home) -> None:
    secrets.ensure(home, secrets.GENERATORS)
    settings = Settings.load(home.folder)
    assert settings.cursor_secret is not None
    assert len(settings.cursor_secret.get_secret_value()) >= 32
    assert settings.jwt_secret is not None
    assert len(settings.jwt_secret.get_secret_value()) >= 32
    assert settings.jwt_signing_key is not None
    assert "PRIVATE KEY" in settings.jwt_signing_key.get_secret_value()


def test_the_superusers_password_is_no_setting(home: Home) -> None:
    secrets.ensure(home, secrets.EMBEDDED)
    password = secrets.read(home, secrets.SUPERUSER_PASSWORD)
    assert password
    assert password not in repr(Settings.load(home.folder).model_dump(mode="python"))


def test_a_file_is_written_whole_or_not_at_all(home: Home) -> None:
    path = home.run / "state.json"
    write_private(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_private(path, "new \ud800")
    assert path.read_text() == "old"
    assert [p.name for p in home.run.iterdir()] == ["state.json"]


def test_a_password_for_people_is_long_and_never_the_same() -> None:
    passwords = {secrets.new_password() for _ in range(100)}
    assert len(passwords) == 100
    assert all(len(password) == 27 for password in passwords)
