"""Highlights: the words that found a text are marked, and nothing in it is HTML."""

from __future__ import annotations

from gardenos.crm.search.highlight import marked, marked_number, plain


def test_accents_and_capitals_are_not_seen() -> None:
    assert plain("Zoë") == "zoe"
    assert plain("STRASSE") == plain("Straße")
    assert marked("Zoë and ZOE", ["zoe"], None) == "<mark>Zoë</mark> and <mark>ZOE</mark>"


def test_only_whole_words_unless_begun() -> None:
    assert marked("Lindgren", ["lin"], None) is None
    assert marked("Lindgren", ["lin"], "lin") == "<mark>Lindgren</mark>"


def test_everything_else_is_escaped() -> None:
    assert marked('<i>"a"</i>', ["a"], None) == "&lt;i&gt;&quot;<mark>a</mark>&quot;&lt;/i&gt;"


def test_of_a_long_text_the_part_around_the_first_word_is_shown() -> None:
    text = f"{'before ' * 50}here {'after ' * 50}"
    found = marked(text, ["here"], None)
    assert found is not None
    assert found.startswith("…before ")
    assert "<mark>here</mark> after" in found
    assert found.endswith("…")
    assert len(found) < 250


def test_a_number_is_marked_however_it_is_grouped() -> None:
    assert marked_number("+49 30/123 45", "3012345") == "<mark>+49 30/123 45</mark>"
    assert marked_number("+49 30", "12345") is None
