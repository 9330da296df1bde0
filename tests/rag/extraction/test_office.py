"""Word files, presentations and spreadsheets, made by the libraries that others make theirs with."""

from __future__ import annotations

import datetime
import zipfile
from io import BytesIO
from typing import Any

import docx
import openpyxl
import pytest
from pptx import Presentation
from pptx.util import Inches

from servers.kit.errors import InvalidInput
from servers.rag.extraction.extracted import UnknownKind
from servers.rag.extraction.formats import extract
from servers.rag.extraction.shown import shown


def saved(file: Any) -> bytes:
    """The bytes of a document."""
    data = BytesIO()
    file.save(data)
    return data.getvalue()


def word() -> bytes:
    """A Word file."""
    document = docx.Document()
    document.add_heading("Guide", 0)
    document.add_heading("Livraison", 1)
    document.add_paragraph("Partout au Maroc.")
    document.add_paragraph("Casablanca", style="List Bullet")
    document.add_paragraph("Rabat", style="List Bullet")
    document.add_heading("أين أدفع؟", 2)
    document.add_paragraph("في الوكالة.")
    table = document.add_table(rows=3, cols=3)
    for row, cells in enumerate([("Ville", "Horaires", "Tarif"), ("Fès", "9h-18h", "30 DH"), ("Oujda", "", "35 DH")]):
        for column, cell in enumerate(cells):
            table.cell(row, column).text = cell
    return saved(document)


def test_a_word_file_keeps_headings_lists_and_tables() -> None:
    found = extract("guide.docx", word())
    assert found.title == "Livraison"
    assert [tuple(part) for part in found.parts] == [
        ("#livraison", "Livraison", "Partout au Maroc.\n\n- Casablanca\n- Rabat"),
        (
            "#اين-ادفع",
            "أين أدفع؟",
            "في الوكالة.\n\n- Ville: Fès; Horaires: 9h-18h; Tarif: 30 DH\n- Ville: Oujda; Tarif: 35 DH",
        ),
    ]


def test_a_presentation_is_read_slide_by_slide() -> None:
    deck = Presentation()
    for number in (1, 2, 3):
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        assert slide.shapes.title is not None
        slide.shapes.title.text = f"Titre {number}"
        slide.placeholders[1].text = "Premier point\nDeuxième point"  # type: ignore[attr-defined]
        slide.placeholders[1].text_frame.paragraphs[1].level = 1  # type: ignore[attr-defined]
    slide.notes_slide.notes_text_frame.text = "À dire aux clients."  # type: ignore[union-attr]
    table = slide.shapes.add_table(2, 2, Inches(1), Inches(6), Inches(4), Inches(1)).table
    for index, cell in enumerate(("Offre", "Prix", "Zen", "99 DH")):
        table.cell(index // 2, index % 2).text = cell
    deck.slides[1].element.set("show", "0")
    found = extract("offres.pptx", saved(deck))
    assert [tuple(part) for part in found.parts] == [
        ("#slide=1", "Titre 1", "Premier point\n- Deuxième point"),
        ("#slide=3", "Titre 3", "Premier point\n- Deuxième point\n\n- Offre: Zen; Prix: 99 DH\n\nÀ dire aux clients."),
    ]


def workbook() -> openpyxl.Workbook:
    """A workbook of two visible sheets and a hidden one."""
    book = openpyxl.Workbook()
    tariffs = book.active
    assert tariffs is not None
    tariffs.title = "Tarifs 2026"
    tariffs["A1"] = "Nos tarifs"
    tariffs.merge_cells("A1:D1")
    for cells in (
        ["Zone", "Ville", "Prix", "Depuis"],
        ["Nord", "Tanger", 1234.5, datetime.date(2026, 1, 31)],
        [None, "Tétouan", 0.2, None],
    ):
        tariffs.append(cells)
    tariffs.merge_cells("A3:A4")
    tariffs["C3"].number_format, tariffs["C4"].number_format = '#,##0.00 "DH"', "0%"
    tariffs.append(["Sud", "Agadir", 1, None])
    tariffs.row_dimensions[5].hidden = True
    questions = book.create_sheet("أسئلة")
    questions.append(["السؤال", "الجواب", "Rubrique"])
    questions.append(["أين أدفع؟", "في الوكالة", "paiement"])
    book.create_sheet("Brouillon").sheet_state = "hidden"
    book["Brouillon"].append(["secret", "secret"])
    return book


def test_a_spreadsheet_is_read_row_by_row_as_it_is_shown() -> None:
    found = extract("tarifs.xlsx", saved(workbook()))
    assert [tuple(part) for part in found.parts] == [
        ("#tarifs-2026!1", "", "Nos tarifs"),
        ("#tarifs-2026!3", "Nord", "Zone: Nord\nVille: Tanger\nPrix: 1 234,50 DH\nDepuis: 2026-01-31"),
        ("#tarifs-2026!4", "Nord", "Zone: Nord\nVille: Tétouan\nPrix: 20%"),
        ("#اسيلة!2", "أين أدفع؟", "في الوكالة\nRubrique: paiement"),
    ]


def test_the_only_sheet_s_rows_need_no_name_of_a_sheet() -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    for cells in (["Ville", "Agence", "Tél"], ["Rabat", "Agdal", "0537112233"], ["Rabat", "Hassan", "0537445566"]):
        book.active.append(cells)
    assert [part.loc for part in extract("a.xlsx", saved(book)).parts] == ["#row=2", "#row=3"]


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (1234.5, '#,##0.00 "DH"', "1 234,50 DH"), (0.125, "0.0%", "12,5%"), (99, "General", "99"), (0.1 + 0.2, "General", "0,3"),
        (661223344, "00 00 00 00 00", "06 61 22 33 44"), (12, "0000", "0012"), (1234567, "# ##0", "1 234 567"),
        (-5, "0.00;[Red]-0.00", "-5,00"), (1234.5, "_-* #,##0.00\\ [$MAD]_-", "1 234,50 MAD"), (True, "General", "TRUE"),
        (datetime.datetime(2026, 11, 20), "mm-dd-yy", "20/11/2026"), (datetime.datetime(2026, 11, 20), "yyyy-mm-dd", "2026-11-20"),
        (datetime.datetime(2026, 11, 20, 9, 30), "dd/mm/yyyy hh:mm", "20/11/2026 09:30"), (datetime.time(9, 5), "hh:mm", "09:05"),
        (datetime.timedelta(hours=26), "[h]:mm", "26:00"), (None, "General", ""), ("0537", "General", "0537"), (float("inf"), "0", "inf"),
    ],
)  # fmt: skip
def test_values_are_shown_as_moroccan_sheets_show_them(value: object, form: str, text: str) -> None:
    assert shown(value, form) == text


def rezipped(data: bytes, replace: dict[str, bytes]) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(BytesIO(data)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for name in dict.fromkeys([*old.namelist(), *replace]):
            new.writestr(name, replace[name] if name in replace else old.read(name))
    return file.getvalue()


ENTITIES = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("replace", "match"),
    [
        ({"word/document.xml": b"<a>" + b" " * 50_000_000}, "proportion"),
        ({"word/media/a.bin": b"\0" * 300_000_000}, "256 MB|proportion"),
        ({"word/document.xml": f"{ENTITIES}<a>&b;</a>".encode()}, "entities"),
        (
            {"word/document.xml": f"<?xml version='1.0' encoding='utf-16'?>{ENTITIES}<a>&b;</a>".encode("utf-16")},
            "entities",
        ),
        ({"word/document.xml": b"<w:document"}, "damaged"),
        ({"word/document.xml": b"<a>" * 100_000}, "damaged|deep"),
    ],
)
def test_archives_made_to_harm_are_refused(replace: dict[str, bytes], match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        extract("a.docx", rezipped(word(), replace))


def test_damaged_and_other_archives_are_refused_in_words() -> None:
    whole = word()
    for damaged in (whole[: len(whole) // 2], b"PK\x03\x04" + b"\0" * 100):
        with pytest.raises(InvalidInput, match="damaged"):
            extract("a.docx", damaged)
    empty = BytesIO()
    zipfile.ZipFile(empty, "w").close()
    for other in (
        rezipped(whole, {})[:0] or _archive("a.txt"),
        _archive("mimetype"),
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600,
    ):
        with pytest.raises(UnknownKind):
            extract("a.zip", other)


def _archive(name: str) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, "x")
    return file.getvalue()


def test_a_sheet_that_reaches_to_the_end_of_the_world_is_refused() -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active["A1"], book.active["XFD1048576"] = "a", "z"
    with pytest.raises(InvalidInput, match="too large"):
        extract("a.xlsx", saved(book))
