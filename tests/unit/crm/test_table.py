"""Files as people have them: any encoding, any delimiter, broken in the usual ways."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gardenos.core.errors import InvalidContent
from gardenos.crm.transfer import columns, encoding
from gardenos.crm.transfer.chunk import decode, encode
from gardenos.crm.transfer.encoding import Encoding
from gardenos.crm.transfer.models import Mapping
from gardenos.crm.transfer.rows import RowReader
from gardenos.crm.transfer.table import open_table

MAPPING = Mapping.model_validate({"fields": {"email": "email", "city": "city"}})


@dataclass(frozen=True)
class Read:
    encoding: str
    delimiter: str
    leads: dict[int, dict[str, Any]]
    """By row number, what the row says."""
    faults: dict[int, str]
    """By row number, the code of what is wrong with it."""


def read(content: bytes | str, *, known: Encoding | None = None, chunk: int = 1000) -> Read:
    file = io.BytesIO(content.encode() if isinstance(content, str) else content)
    table = open_table(file, None, known)
    leads: dict[int, dict[str, Any]] = {}
    faults: dict[int, str] = {}
    rows = 0
    reader = RowReader(columns.plan(table.headers, None))
    while found := table.take(chunk):
        assert len(found) <= chunk
        for number, cells in enumerate(decode(encode(found)), rows + 1):
            if not isinstance(cells, list):
                assert cells is not None
                faults[number] = cells.code
                continue
            row = reader.read(number, cells)
            if isinstance(row, list):
                faults[number] = row[-1].code
            else:
                leads[number] = {**row.fields, **({"custom": row.custom} if row.custom else {})}
        rows += len(found)
    table.close()
    assert not file.closed
    assert sorted([*leads, *faults]) == list(range(1, rows + 1))
    return Read(table.encoding or "", table.delimiter or "", leads, faults)


TEXT = "first name,city\nZoë,Köln\nJosé,São Paulo\nGünther,Gießen\n"
ZOE = {"first_name": "Zoë", "city": "Köln"}


@pytest.mark.parametrize(
    ("written_in", "read_in"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("latin-1", "cp1252"),
        ("cp1252", "cp1252"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("utf-32", "utf-32"),
    ],
)
def test_western_text_is_read_in_whatever_encoding_it_comes(written_in: str, read_in: str) -> None:
    found = read(TEXT.encode(written_in))
    assert found.encoding == read_in
    assert found.leads[1] == ZOE
    assert found.leads[3] == {"first_name": "Günther", "city": "Gießen"}
    assert not found.faults


@pytest.mark.parametrize(
    ("written_in", "name", "city"),
    [
        ("cp1251", "Екатерина Дмитриевна", "Нижний Новгород, улица Рождественская"),
        ("cp1253", "Αλέξανδρος Παπαδόπουλος", "Θεσσαλονίκη, οδός Αριστοτέλους"),
        ("cp1250", "Stanisław Wiśniewski", "Zażółć gęślą jaźń, Łódź"),
        ("shift_jis", "山田太郎さん", "東京都千代田区丸の内の会社です"),
    ],
)
def test_a_file_of_another_script_is_read_when_its_encoding_is_named(
    written_in: str, name: str, city: str
) -> None:
    content = f'first name,city\n{name},"{city}"\n'.encode(written_in)
    named = encoding.named(written_in)
    assert read(content, known=named).leads == {1: {"first_name": name, "city": city}}


def test_cyrillic_is_guessed_when_there_is_enough_of_it() -> None:
    lines = [
        "Екатерина,Нижний Новгород,Хотела бы узнать стоимость годового обслуживания",
        "Дмитрий,Санкт-Петербург,Просит перезвонить после праздников и прислать договор",
        "Ольга,Казань,Пришла по рекомендации знакомых и ждёт предложение",
    ]
    content = ("first name,city,notes\n" + "\n".join(lines * 5) + "\n").encode("cp1251")
    assert read(content).leads[2]["city"] == "Санкт-Петербург"


WESTERN = [
    *("Köln", "René", "O\u2019Brien", "São João", "Muñoz", "Gießen", "Åsa Öberg", "Søren Ærø"),
    *("½ price", "500 €", "300 m³", "\u201cVIP\u201d", "¿Cuándo?", "Hélène Lefèvre", "Zürich"),
]


@given(st.lists(st.sampled_from(WESTERN), min_size=1, max_size=5))
def test_a_few_western_letters_are_never_taken_for_another_script(names: list[str]) -> None:
    rows = "".join(f"{name},Rome\n" for name in names)
    found = read(f"first name,city\n{rows}".encode("cp1252"))
    assert found.encoding == "cp1252"
    assert [lead["first_name"] for lead in found.leads.values()] == names


@pytest.mark.parametrize(
    ("written_in", "rows"),
    [
        ("cp1250", ["Stanisław Wiśniewski,Łódź", "Małgorzata Dąbrowska,Kraków"]),
        ("cp1251", ["Иван Петров,Москва", "Ольга Смирнова,Казань"]),
        ("cp1253", ["Γιώργος Παππάς,Αθήνα", "Μαρία Νικολάου,Πάτρα"]),
        ("shift_jis", ["山田太郎,東京", "鈴木一郎,大阪"]),
        ("gb18030", ["王小明,北京", "李娜,上海"]),
        ("big5", ["王小明,臺北", "陳美玲,高雄"]),
        ("euc_kr", ["김민준,서울", "이서연,부산"]),
    ],
)
def test_two_names_are_enough_to_tell_other_scripts(written_in: str, rows: list[str]) -> None:
    text = "\n".join(["first name,city", *rows, ""])
    found = read(text.encode(written_in))
    assert found.encoding == written_in
    assert [lead["city"] for lead in found.leads.values()] == [row.split(",")[1] for row in rows]


def test_stray_bytes_in_utf8_become_what_windows_would_show() -> None:
    lines = "".join(f"Zoë{n},Köln\n" for n in range(50))
    content = f"first name,city\n{lines}".encode() + "René €,Orléans\n".encode("cp1252")
    found = read(content)
    assert found.encoding == "utf-8"
    assert found.leads[51] == {"first_name": "René €", "city": "Orléans"}
    assert found.leads[1]["first_name"] == "Zoë0"


def test_the_first_stray_byte_may_come_late() -> None:
    content = b"first name,city\n" + b"Ada,London\n" * 100_000 + "Zoë,Köln\n".encode("latin-1")
    found = read(content, chunk=50_000)
    assert found.encoding == "cp1252"
    assert found.leads[100_001] == ZOE


@pytest.mark.parametrize(
    "name", ["ascii", "rot13", "base64", "utf-7", "../utf8", "\ud800", "", "\0"]
)
def test_an_encoding_that_is_not_read_here_is_refused(name: str) -> None:
    with pytest.raises(InvalidContent):
        encoding.named(name)


def test_an_encoding_goes_by_any_of_its_names() -> None:
    for name in ("UTF8", "utf_8", " Windows-1252 ", "latin1", "ISO-8859-15", "SJIS"):
        assert encoding.named(name).name


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(mark: str) -> None:
    text = mark.join(["first name", "city", "notes"]) + "\n"
    text += mark.join(["Ada", '"1,5; 2|3\t4"', "x, y; z"]).replace("x, y; z", '"x, y; z"') + "\n"
    found = read(text)
    assert found.delimiter == mark
    assert found.leads[1] == {"first_name": "Ada", "city": "1,5; 2|3\t4", "notes": "x, y; z"}


def test_a_decimal_comma_is_no_delimiter() -> None:
    found = read("E-Mail;Umsatz, netto;Rabatt, %\na@example.com;1,5;2,0\nb@example.com;7,25;1\n")
    assert found.delimiter == ";"
    assert found.leads[2] == {
        "email": "b@example.com",
        "custom": {"umsatz_netto": "7,25", "rabatt": "1"},
    }


@pytest.mark.parametrize("line", ["sep=;", "SEP=;\r", "\ufeffsep=;"])
def test_excels_own_hint_is_taken_and_is_no_header(line: str) -> None:
    found = read(f"{line}\nemail;city\na@example.com;Rome\n")
    assert found.delimiter == ";"
    assert found.leads == {1: {"email": "a@example.com", "city": "Rome"}}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_they_like_and_blank_ones_do_not_count(end: str) -> None:
    rows = ["", "email,city", "", "a@example.com,Rome", "", "", "b@example.com,Bonn"]
    found = read(end.join(rows))
    assert found.leads == {
        1: {"email": "a@example.com", "city": "Rome"},
        2: {"email": "b@example.com", "city": "Bonn"},
    }


def test_a_quoted_cell_keeps_its_lines_commas_and_quotes() -> None:
    found = read('email,notes\na@example.com,"Said ""no"",\r\nthen\n\nyes"\nb@example.com,x\n')
    assert found.leads[1]["notes"] == 'Said "no",\r\nthen\n\nyes'
    assert found.leads[2]["notes"] == "x"


def test_a_quote_inside_a_bare_cell_is_text() -> None:
    assert read('email,notes\na@example.com,5" pipe\n').leads[1]["notes"] == '5" pipe'


def test_rows_of_another_width_are_padded_or_rejected() -> None:
    found = read(
        "email,first name,city\n"
        "a@example.com\n"
        "b@example.com,Bo,Bonn,\n"
        "c@example.com,Cy,Cork, ,\n"
        "d@example.com,Di,Derby,England\n"
        "e@example.com,Ed,Ely\n"
    )
    assert found.leads[1] == {"email": "a@example.com"}
    assert [found.leads[n]["city"] for n in (2, 3, 5)] == ["Bonn", "Cork", "Ely"]
    assert found.faults == {4: "too-many-cells"}


def test_a_row_that_says_nothing_is_rejected() -> None:
    found = read("email,city\n,\n , \na@example.com,\n")
    assert found.faults == {1: "empty-row", 2: "empty-row"}
    assert list(found.leads) == [3]


def test_a_nul_spoils_its_row_only() -> None:
    found = read("email,city\na@example.com,Ro\0me\nb@example.com,Bonn\n")
    assert found.faults == {1: "nul-character"}
    assert list(found.leads) == [2]


def test_an_open_quote_costs_its_own_row_and_no_other() -> None:
    lines = [f"p{n}@example.com,City {n},x" for n in range(1, 3001)]
    lines[4] = 'p5@example.com,"City 5,x'
    lines[1500] = 'p1501@example.com,City,"open'
    lines[2999] = 'p3000@example.com,"City'
    found = read("email,city,notes\n" + "\n".join(lines) + "\n")
    assert found.faults == dict.fromkeys((5, 1501, 3000), "broken-quote")
    assert len(found.leads) == 2997
    assert found.leads[6]["city"] == "City 6"


def test_a_line_without_end_costs_its_own_row_and_no_other() -> None:
    found = read(
        "email,city\na@example.com,Rome\n"
        f"b@example.com,{'x' * 3_000_000}\n"
        f"c@example.com,{'x' * 200_000}\n"
        "d@example.com,Bonn\n"
    )
    assert found.faults == {2: "row-too-long", 3: "cell-too-large"}
    assert list(found.leads) == [1, 4]


EMPTY = [b"", b"\n\n\r\n", b"\xef\xbb\xbf", b"\xff\xfe", b" ,;\t| \n", "\ufeff\n".encode("utf-16")]


@pytest.mark.parametrize("content", EMPTY)
def test_a_file_without_anything_is_empty(content: bytes) -> None:
    with pytest.raises(InvalidContent, match="The file is empty"):
        read(content)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04\x14\0\x06\0", "no workbook that can be read"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0", "old Excel workbook"),
        (b"%PDF-1.7\n%\xe2\xe3", "is a PDF"),
        (b"\x1f\x8b\x08\0email", "packed, and broken"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "names no column"),
        (b"<html><body>email</body></html>", "names no column"),
        (b'{"neither": "a@example.com"}', "names no column"),
        (b'"email,city\na@example.com,Rome\n', "header cannot be read"),
    ],
)
def test_what_is_no_csv_is_refused_with_advice(content: bytes, said: str) -> None:
    with pytest.raises(InvalidContent, match=said):
        read(content)


def test_a_file_is_let_go_of_when_it_is_refused() -> None:
    file = io.BytesIO(b'"email,city\na@example.com,Rome\n')
    with pytest.raises(InvalidContent):
        open_table(file, MAPPING, None)
    assert not file.closed


def test_chunks_make_no_difference() -> None:
    content = "email,city\n" + "".join(f"p{n}@example.com,{n}\n" for n in range(25))
    assert read(content, chunk=1) == read(content, chunk=7) == read(content)


@given(st.binary(max_size=2000))
@example(b'\xff\xfe"\0\n\0')
@example(b'email\r\x00\n"""\n,,,\n')
def test_any_bytes_at_all_end_in_rows_or_in_a_sentence(content: bytes) -> None:
    for start in (b"", b"email,city\n"):
        try:
            read(start + content, chunk=3)
        except InvalidContent:
            continue


@given(
    st.lists(
        st.tuples(*[st.text(alphabet="aé,;\"'\n\r \t|ß世", max_size=8)] * 3),
        min_size=1,
        max_size=20,
    ),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_what_a_csv_writer_writes_is_what_is_read(
    rows: list[tuple[str, str, str]], mark: str, written_in: str
) -> None:
    import csv

    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=mark, quoting=csv.QUOTE_ALL)
    writer.writerow(["first name", "city", "notes"])
    writer.writerows(rows)
    found = read(file.getvalue().encode(written_in))
    wanted = {
        number: {
            name: cell.strip()
            for name, cell in zip(("first_name", "city", "notes"), row, strict=True)
            if cell.strip()
        }
        for number, row in enumerate(rows, 1)
    }
    assert found.leads == {number: said for number, said in wanted.items() if said}
    assert set(found.faults.values()) <= {"empty-row"}
