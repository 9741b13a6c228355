from __future__ import annotations

import pytest

from gardenos.core.errors import InvalidRequest
from gardenos.web import conditional


@pytest.mark.parametrize(
    ("header", "versions"),
    [
        ('"3"', [3]),
        ('W/"3"', [3]),
        (' "1" ,W/"2","x", "-4", "²", "" ', [1, 2]),
        ('"9223372036854775807", "9223372036854775808"', [2**63 - 1]),
        ('"' + "9" * 4000 + '"', []),
        ("*", None),
        (" * ", None),
    ],
)
def test_a_precondition_names_versions(header: str, versions: list[int] | None) -> None:
    assert conditional.versions(header) == versions


@pytest.mark.parametrize("header", ["", "3", '"3', '"1" "2"', '"1",', "W/3", '*, "1"', 'w/"3"'])
def test_what_is_no_list_of_tags_is_refused(header: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        conditional.versions(header)
    assert caught.value.errors[0]["pointer"] == "If-Match"
    with pytest.raises(InvalidRequest) as caught:
        conditional.not_modified(header, 3)
    assert caught.value.errors[0]["pointer"] == "If-None-Match"


def test_a_tag_names_the_version_it_was_made_from() -> None:
    assert conditional.versions(conditional.etag(17)) == [17]


def test_without_a_precondition_any_version_will_do() -> None:
    assert conditional.optional_versions(None) is None
    assert conditional.optional_versions('"1"') == [1]


@pytest.mark.parametrize(
    ("header", "is_held"),
    [(None, False), ('"2"', False), ('"3"', True), ('W/"3"', True), ("*", True), ('"x"', False)],
)
def test_who_holds_the_current_version_is_told_so(header: str | None, is_held: bool) -> None:
    answer = conditional.not_modified(header, 3)
    assert (answer is not None) == is_held
    if answer is not None:
        assert (answer.status_code, answer.headers["etag"], answer.body) == (304, '"3"', b"")


def test_a_long_precondition_is_read_in_linear_time() -> None:
    assert len(conditional.versions(", ".join(['"1"'] * 20_000)) or ()) == 20_000
    with pytest.raises(InvalidRequest):
        conditional.versions(", ".join(['"1"'] * 20_000) + " x")
