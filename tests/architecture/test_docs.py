from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
_LINK = re.compile(r"\]\((?!https?://|#|mailto:)(?P<target>[^)#\s]+)")


@pytest.mark.parametrize("page", PAGES, ids=[p.relative_to(ROOT).as_posix() for p in PAGES])
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    targets = [match["target"] for match in _LINK.finditer(page.read_text("utf-8"))]
    lost = [target for target in targets if not (page.parent / target).exists()]
    assert not lost


def test_every_decision_is_in_the_index() -> None:
    folder = ROOT / "docs" / "adr"
    pages = sorted(path.name for path in folder.glob("0*.md"))
    listed = re.findall(r"\((0\d{3}-[\w-]+\.md)\)", (folder / "README.md").read_text("utf-8"))
    assert listed == pages
    assert [int(name[:4]) for name in pages] == list(range(1, len(pages) + 1))
