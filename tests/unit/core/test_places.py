"""What a setting may name as the place of files, and what it says otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from gardenos.core.config import Settings
from gardenos.core.places import folder_of


@pytest.mark.parametrize(
    ("place", "folder"),
    [
        ("/srv/files", Path("/srv/files")),
        ("/srv/files#1?", Path("/srv/files#1?")),
        ("files", Path.cwd() / "files"),
        ("./a:b", Path.cwd() / "a:b"),
        ("~/files", Path.home() / "files"),
        ("file:///srv/files", Path("/srv/files")),
        ("file://localhost/srv/files", Path("/srv/files")),
        ("file:/srv/files", Path("/srv/files")),
        ("FILE:///srv/files", Path("/srv/files")),
        (Path("/srv/Büro #1?").as_uri(), Path("/srv/Büro #1?")),
        ("s3://bucket/prefix", None),
        ("s3://bucket", None),
    ],
)
def test_a_folder_is_named_by_path_or_address_and_a_bucket_is_none(
    place: str, folder: Path | None
) -> None:
    assert folder_of(place) == folder
    assert Settings(attachments_url=place).attachments_url == place


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("gs://bucket/prefix", "begins with gs:"),
        ("https://files.example.org/", "begins with https:"),
        ("a:b", "begins with a:"),
        ("file://server/share", "file:///some/folder"),
        ("file:folder", "file:///some/folder"),
        ("file:///srv/files#1", "%23"),
        ("file:///srv/files?x", "%3F"),
        ("file:///srv/%00", "cannot hold"),
        ("s3:///prefix", "names no bucket"),
    ],
)
def test_any_other_place_is_refused_when_settings_are_read(place: str, says: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(attachments_url=place)
    [fault] = refused.value.errors()
    assert fault["loc"] == ("attachments_url",)
    assert says in fault["msg"]
    assert repr(place) in fault["msg"]
