from __future__ import annotations

import re
from pathlib import Path

import pytest

from gardenos.discovery.figures import Figures
from gardenos.discovery.settings import FLAGS, Settings, WrongSetting, read, variable

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "discovery.md"


@pytest.fixture
def needed(tmp_path: Path) -> dict[str, str]:
    return {
        "member": "pg1",
        "scope": "garden",
        "address": "10.0.0.1",
        "slice-dir": str(tmp_path),
    }


def flags(told: dict[str, str]) -> list[str]:
    return [word for flag, value in told.items() for word in (f"--{flag}", value)]


def test_flags_alone_are_enough(needed: dict[str, str], tmp_path: Path) -> None:
    settings = read(flags(needed), {})
    assert isinstance(settings, Settings)
    assert (settings.member, settings.port, settings.ttl_s) == ("pg1", 5432, 20.0)
    assert settings.slice_dir == tmp_path
    assert settings.listen == ("127.0.0.1", 8010)


def test_the_environment_alone_is_enough(needed: dict[str, str]) -> None:
    assert read([], {variable(flag): value for flag, value in needed.items()}) == read(
        flags(needed), {}
    )


def test_a_flag_wins_over_the_environment(needed: dict[str, str]) -> None:
    assert read([*flags(needed), "--ttl", "30"], {variable("ttl"): "40"}).ttl_s == 30.0


def test_several_endpoints_of_etcd(needed: dict[str, str]) -> None:
    settings = read([*flags(needed), "--etcd-urls", "http://a:1, http://b:2/"], {})
    assert settings.etcd_urls == ("http://a:1", "http://b:2")


def test_an_empty_service_of_replicas_is_none(needed: dict[str, str]) -> None:
    assert read([*flags(needed), "--replicas-service", ""], {}).replicas_service == ""


def test_in_a_pod_the_api_server_is_known(needed: dict[str, str], tmp_path: Path) -> None:
    del needed["slice-dir"]
    for name, text in (("ca.crt", "ca"), ("token", "t"), ("namespace", "garden\n")):
        (tmp_path / name).write_text(text)
    pod = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"}
    settings = read(flags(needed), pod, account=tmp_path)
    assert settings.api_url == "https://[fd00::1]:6443"
    assert (settings.api_ca, settings.api_token) == (tmp_path / "ca.crt", tmp_path / "token")
    assert settings.namespace == "garden"


def test_a_folder_of_slices_wins_over_the_pods_api_server(needed: dict[str, str]) -> None:
    assert read(flags(needed), {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}).api_url == ""


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"member": None}, "--member is missing"),
        ({"address": "pg1.local"}, "--address pg1.local is no IP address"),
        ({"port": "0"}, "--port 0 is no port"),
        ({"port": "x"}, "--port x is no port"),
        ({"slice-dir": None}, "--slice-dir or --api-url"),
        ({"slice-dir": "/nowhere/at/all"}, "/nowhere/at/all is no folder"),
        ({"api-url": "http://a:1"}, "one of them"),
        ({"api-url": "http://a:1", "slice-dir": None}, "--namespace is missing"),
        ({"etcd-urls": "a:2379"}, "a:2379 is no http"),
        ({"etcd-urls": "http://a:1,"}, "an empty one is no http"),
        ({"patroni-url": "http://a:port"}, "--patroni-url"),
        ({"etcd-ca": "/nowhere/ca"}, "--etcd-ca /nowhere/ca is no file"),
        ({"etcd-user": "root"}, "--etcd-user and --etcd-password-file go together"),
        ({"replicas-service": "postgres-primary"}, "must be two names"),
        ({"ttl": "0"}, "--ttl 0 is no number of seconds"),
        ({"ttl": "nan"}, "--ttl nan is no number of seconds"),
        ({"tick": "soon"}, "--tick soon is no number of seconds"),
        ({"listen": "8010"}, "--listen 8010 is no address:port"),
        ({"listen": "127.0.0.1:99999"}, "is no address:port"),
        ({"log-level": "loud"}, "debug, info, warning or error"),
    ],
)
def test_a_wrong_setting_is_told_in_a_sentence(
    needed: dict[str, str], change: dict[str, str | None], says: str
) -> None:
    told = {flag: value for flag, value in (needed | change).items() if value is not None}
    with pytest.raises(WrongSetting, match=re.escape(says)) as wrong:
        read(flags(told), {})
    assert str(wrong.value).endswith(".")


def test_the_page_lists_every_flag_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `--([a-z-]+)` \|([^|]*)\|", PAGE.read_text("utf-8"), re.MULTILINE))
    shown = {flag: default.strip().strip("`") for flag, default in rows.items()}
    assert shown == {flag: default or "" for flag, (default, _) in FLAGS.items()}


def test_the_page_lists_every_figure() -> None:
    figures = Figures().render()
    made = set(re.findall(r"^# TYPE (\w+)", figures, re.MULTILINE))
    named = set(re.findall(r"`(gardenos_discovery_\w+)`", PAGE.read_text("utf-8")))
    assert made == named
