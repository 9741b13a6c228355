from __future__ import annotations

from pathlib import Path

import pytest

from gardenos.cli import documents


def page(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def test_a_lost_link_and_a_lost_heading_are_found(tmp_path: Path) -> None:
    page(tmp_path, "docs/there.md", "# What there is\n")
    text = "[a](docs/there.md) [b](docs/gone.md) [c](docs/there.md#what-there-is) [d](#nowhere)"
    found = list(documents.lost_links(page(tmp_path, "README.md", text)))
    assert found == [
        "links to docs/gone.md, which is not there",
        "links to #nowhere, a heading that page does not have",
    ]


def test_links_elsewhere_and_in_code_are_left_alone(tmp_path: Path) -> None:
    text = "[a](https://example.org/x#y) `[b](gone)`\n\n```sh\n[c](gone)\n```\n"
    assert list(documents.lost_links(page(tmp_path, "README.md", text))) == []


def test_anchors_are_made_as_github_makes_them(tmp_path: Path) -> None:
    text = (
        "# `up`, and down!\n## Twice\n## Twice\n```\n# no heading\n```\n## [Link](x) *and* Ärger\n"
    )
    assert documents.anchors(page(tmp_path, "page.md", text)) == {
        "up-and-down",
        "twice",
        "twice-1",
        "link-and-ärger",
    }


@pytest.mark.parametrize(
    "text",
    [
        "./garden up --demo   # with a comment --nonsense",
        "run `gardenos leads import FILE --map FILE --score`, then",
        "gardenos is a program; `gardenos.sdk` a package",
        "./garden test -k 'anything' --maxfail=1",
        "$ ./garden logs -f postgres\n$ ./garden scale lead_analysis 3",
    ],
)
def test_commands_that_exist_are_fine(text: str) -> None:
    assert list(documents.unknown_commands(text)) == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("./garden start", "names the command `start`, which does not exist"),
        ("`gardenos leads export FILE`", "names the command `leads export`, which does not exist"),
        ("./garden up --fast", "`up` has no option --fast"),
        ("`gardenos leads import x --maps y`", "`leads import` has no option --maps"),
    ],
)
def test_commands_and_options_that_do_not_exist_are_found(text: str, complaint: str) -> None:
    assert list(documents.unknown_commands(text)) == [complaint]


def test_complaints_name_their_page(tmp_path: Path) -> None:
    page(tmp_path, "docs/deep/page.md", "./garden fly")
    assert documents.complaints(tmp_path) == [
        "docs/deep/page.md: names the command `fly`, which does not exist"
    ]
