"""docs/operations.md names every setting with its default and every port."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

from pydantic import SecretStr

from gardenos.core.config import ENV_PREFIX, Settings
from gardenos.serve.environment import Ports, ray_environment

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")
_SETTING = re.compile(r"^\| `GARDENOS_(?P<name>[A-Z0-9_]+)` \| (?P<default>[^|]*)\|", re.MULTILINE)


def section(title: str) -> str:
    """The page from a heading to the next one."""
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def settings_listed() -> dict[str, str]:
    """The default that the page gives, by the field's name."""
    found = _SETTING.finditer(section("Settings"))
    return {match["name"].lower(): match["default"].strip() for match in found}


def test_every_setting_is_listed_and_no_other() -> None:
    assert settings_listed().keys() == Settings.model_fields.keys()


def test_every_default_is_the_one_in_the_code() -> None:
    listed = settings_listed()
    defaults = {
        name: field.default
        for name, field in Settings.model_fields.items()
        if isinstance(field.default, str | int | float | Decimal)
    }
    assert defaults
    assert {name: listed[name] for name in defaults} == {
        name: f"`{default}`" for name, default in defaults.items()
    }


def test_no_default_is_a_secret() -> None:
    fields = Settings.model_fields.values()
    assert not [field for field in fields if isinstance(field.default, SecretStr)]


def test_the_ports_are_those_of_the_code() -> None:
    ports = Ports.of(Settings.model_construct())
    listed = section("Ports")
    for port in ports.all().values():
        assert f"| {port} |" in listed
    assert f"| {ports.replicas.start}-{ports.replicas.stop - 1} |" in listed


def test_the_environment_of_a_cluster_of_ones_own_is_what_up_gives_to_ray(tmp_path: Path) -> None:
    given = ray_environment(Settings.model_construct(), tmp_path)
    asked = re.findall(r"`(RAY_\w+)=(\w+)`", section("A Ray cluster of your own"))
    assert asked
    assert {name: given[name] for name, _ in asked} == dict(asked)


def test_settings_named_anywhere_on_the_page_exist() -> None:
    named = {name.lower() for name in re.findall(rf"\b{ENV_PREFIX}([A-Z_]+)\b", PAGE)}
    assert named <= Settings.model_fields.keys()
