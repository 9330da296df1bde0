"""Text in any encoding, questions with their answers, tables and records."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.kit.errors import InvalidInput
from servers.rag.extraction.extracted import MOST_BYTES, UnknownKind
from servers.rag.extraction.formats import extract
from servers.rag.extraction.letters import decoded, plain
from servers.rag.extraction.markdown import parts_of
from servers.rag.passages import Part

FRENCH = "Où en est ma commande ? Elle a été expédiée à Fès."
ARABIC = "فين وصلات الكوموند ديالي؟ راها خرجات البارح، وغادي توصل غدا."


def parts(name: str, text: str | bytes, media_type: str = "") -> list[tuple[str, str, str]]:
    data = text.encode() if isinstance(text, str) else text
    return [tuple(part) for part in extract(name, data, media_type).parts]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1256"])
@pytest.mark.parametrize("text", [FRENCH, ARABIC, f"{FRENCH}\n{ARABIC}", "نعم، شكرا"])
def test_text_is_read_in_the_encoding_it_was_written_in(text: str, encoding: str) -> None:
    assert decoded(text.encode(encoding)) == text


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
def test_western_text_too(encoding: str) -> None:
    assert decoded(FRENCH.encode(encoding)) == FRENCH


def test_what_the_server_says_counts_where_it_is_not_utf_8() -> None:
    assert decoded("шаг".encode("koi8-r"), "koi8-r") == "шаг"
    assert decoded("été".encode(), "koi8-r") == "été"
    assert decoded("été".encode(), "no such thing") == "été"


@given(st.text())
def test_plain_text_holds_nothing_that_stores_refuse(text: str) -> None:
    assert not set(plain(text)) & set("\0\r\f\x1b\u200f\u202e\ufeff\ufefb")
    assert plain(plain(text)) == plain(text)


def test_presentation_forms_are_plain_letters() -> None:
    assert plain("ﻻ ﷲ ﬁn ﺑﺎﻟﺴﻼﻣﺔ") == "لا الله fin بالسلامة"


def test_questions_in_plain_text_are_the_titles_of_their_answers() -> None:
    text = "Bienvenue.\n\nOù payer ?\nEn agence.\nOu en ligne.\n\nQ: Quel délai\nR: Deux jours.\n\nشحال التوصيل؟\n30 درهم\n\nEt alors ?"
    assert parts("faq.txt", text) == [
        ("#", "", "Bienvenue."),
        ("#ou-payer", "Où payer ?", "En agence.\nOu en ligne."),
        ("#quel-delai", "Quel délai", "Deux jours."),
        ("#شحال-التوصيل", "شحال التوصيل؟", "30 درهم\n\nEt alors ?"),
    ]


@pytest.mark.parametrize(
    "header",
    ["question,réponse", "Question;Answer", "السؤال\tالجواب", "answer|extra|Question :", "RÉPONSE,rubrique,QUESTION"],
)
def test_tables_of_questions_are_questions_with_their_answers(header: str) -> None:
    delimiter = next(mark for mark in ",;\t|" if mark in header)
    names = header.split(delimiter)
    answer = next(index for index, name in enumerate(names) if name.casefold() in {"réponse", "answer", "الجواب"})
    cells = ["" for _ in names]
    cells[answer], cells[0 if answer else -1] = '"En agence,\nou ; en ligne | ici"', "Où payer ?"
    found = parts("faq.csv", f"{header}\n{delimiter.join(cells)}\n{delimiter.join(cells)}\n")
    assert found == [(loc, "Où payer ?", "En agence,\nou ; en ligne | ici") for loc in ("#row=2", "#row=4")]


def test_other_tables_are_rows_under_the_names_of_their_columns() -> None:
    assert parts("a.csv", "Ville,Agence,Tél\nRabat,Agdal,0537\n\nFès,,0535\n") == [
        ("#row=2", "Rabat", "Ville: Rabat\nAgence: Agdal\nTél: 0537"),
        ("#row=4", "Fès", "Ville: Fès\nTél: 0535"),
    ]
    assert parts("a.csv", "Rabat,12\nFès,13") == [("#row=1", "Rabat", "Rabat\n12"), ("#row=2", "Fès", "Fès\n13")]


def test_records_of_json() -> None:
    lines = '{"question": "Où ?", "answer": "Ici", "tags": ["a"]}\nnot json\n\n{"title": "T", "text": "du texte", "x": 1}\n{"a": 1, "b": null}\n'
    found = extract("faq.jsonl", lines.encode())
    assert [tuple(part) for part in found.parts] == [
        ("#row=1", "Où ?", 'Ici\ntags: ["a"]'),
        ("#row=4", "T", "du texte"),
        ("#row=5", "1", "a: 1"),
    ]
    assert found.warnings == ("line 2 is no JSON that can be read",)
    assert parts("faq.json", '[{"سؤال": "فين؟", "جواب": "هنا"}]') == [("#row=1", "فين؟", "هنا")]
    for broken in ("[1, 2", "{", "[" * 10**6):
        with pytest.raises(InvalidInput):
            extract("a.json", broken.encode())


@given(st.lists(st.lists(st.text(max_size=8), min_size=1, max_size=4), min_size=1, max_size=6))
def test_no_row_of_any_table_stands_in_another_s_place(rows: list[list[str]]) -> None:
    found = parts("a.csv", "x" + "\n".join(",".join(row) for row in rows))
    assert len({loc for loc, _, _ in found}) == len(found)


@given(
    st.lists(
        st.tuples(
            st.from_regex(r"#[a-z=!]{1,9}", fullmatch=True),
            st.sampled_from(["", "T", "Où ?"]),
            st.sampled_from(["a", "b\n\nc"]),
        ),
        unique_by=lambda part: part[0],
    )
)
def test_the_markdown_of_a_file_is_its_parts(written: list[tuple[str, str, str]]) -> None:
    from servers.rag.extraction.extracted import Extracted

    whole = [Part(*part) for part in written]
    assert parts_of(Extracted("a", "text/plain", tuple(whole)).markdown) == whole


def test_the_kind_of_a_file_is_what_it_holds() -> None:
    html = "<!DOCTYPE html><html><body><h2>Où ?</h2><p>Ici</p></body></html>"
    for name, media_type in (
        ("a.html", ""),
        ("a.md", ""),
        ("page", "text/html; charset=utf-8"),
        ("a.php", "text/html"),
        ("a.csv", ""),
    ):
        assert parts(name, html, media_type) == [("#ou", "Où ?", "Ici")]
    assert parts("README", "du texte") == [("#", "", "du texte")]
    assert extract("notes.v2.md", b"# Titre\ntexte").title == "Titre"


@pytest.mark.parametrize("name", ["a.pdf", "a.docx", "a.xlsx", "a.pptx"])
def test_what_its_ending_says_and_it_is_not_is_refused_in_words(name: str) -> None:
    with pytest.raises(InvalidInput, match="whatever its ending says"):
        extract(name, b"just text")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.png", b"\x89PNG\r\n"),
        ("a.exe", b"MZ\0\0"),
        ("a.txt", b"\x7fELF"),
        ("a.py", b"x = 1"),
        ("a.rtf", b"{\\rtf1}"),
    ],
)
def test_kinds_that_are_not_read_are_told_from_those_that_are_broken(name: str, data: bytes) -> None:
    with pytest.raises(UnknownKind):
        extract(name, data)


def test_empty_huge_and_binary_files() -> None:
    for data in (b"", b" \n\t\0", b"\0" * 100):
        with pytest.raises(InvalidInput, match="empty"):
            extract("a.txt", data)
    with pytest.raises(InvalidInput, match="50 MB"):
        extract("a.txt", b"a" * (MOST_BYTES + 1))
    with pytest.raises(InvalidInput):
        extract("a.txt", bytes(range(256)) * 100)
    assert parts("a.txt", "un\0 texte\0 à trous") == [("#", "", "un texte à trous")]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.csv", "a.jsonl", "a.html"])
@pytest.mark.parametrize("piece", [b"mot ", b"\n", b"a,", b'"', b"Q:", b"?\n", b"# ", b"|"])
def test_a_megabyte_of_anything_is_read_or_refused_soon(name: str, piece: bytes) -> None:
    try:
        extract(name, b"x" + piece * (10**6 // len(piece)))
    except InvalidInput:
        assert name.endswith("jsonl")
