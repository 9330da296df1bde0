"""PDFs, made by real producers in the test."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from servers.kit.errors import InvalidInput
from servers.rag.extraction.extracted import Extracted
from servers.rag.extraction.formats import extract
from servers.rag.extraction.visual_order import logical
from tests.rag.extraction.pdf_files import PRODUCERS, drawn, visual_pdf

ARABIC = [
    "كيف يمكنني تتبع طلبي رقم 12345 من Atlas Shop؟",
    "الإلغاء لا يكلف شيئا (قبل الإرسال) ولا بعده [2].",
    "الثمن 1.250,50 درهم، أي 20% أقل من الثمن السابق.",
    "اتصلوا بنا على 05 22 33 44 55 أو help@atlas.ma اليوم.",
    "هاتف Samsung Galaxy S24 Ultra بثمن 9 990 درهم فقط.",
    "واش كاين التوصيل لمراكش؟ إيه، فـ 48 ساعة، حتى 20/11/2026.",
]


def words(found: Extracted) -> str:
    return " ".join(" ".join(f"{part.title} {part.text}" for part in found.parts).split())


def paragraph(canvas: Canvas, text: str, x: float = 60, y: float = 780, width: int = 80) -> float:
    """Draws a paragraph and gives where the next one begins."""
    line = ""
    for word in [*text.split(), ""]:
        if not word or len(line) + len(word) >= width:
            canvas.drawString(x, y, line.strip())
            line, y = "", y - 14
        line += f"{word} "
    return y - 14


@pytest.mark.parametrize("producer", PRODUCERS)
def test_arabic_is_read_as_it_is_written_whatever_order_the_producer_drew_it_in(producer: str) -> None:
    text = words(extract("a.pdf", PRODUCERS[producer](ARABIC)))
    assert [line for line in ARABIC if line not in text] == []


@given(st.text(alphabet="abc XYZ 0123 .,?!()", max_size=40))
def test_lines_without_arabic_stay_as_they_are(line: str) -> None:
    assert logical(list(line), right_to_left=False) == logical(list(line), right_to_left=True) == line


@given(st.text(alphabet="ابتثج xyz 0123 .,:/%()-+", max_size=60), st.booleans())
def test_no_glyph_is_lost_when_a_line_is_put_in_order(line: str, right_to_left: bool) -> None:
    found = logical(list(line), right_to_left=right_to_left)
    assert sorted(found.translate(str.maketrans(")", "("))) == sorted(line.translate(str.maketrans(")", "(")))


def test_larger_letters_are_headings_and_pages_are_places() -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setTitle("Guide du client")
        for number in (1, 2):
            canvas.setFont("Arabic", 18)
            canvas.drawString(60, 780, f"Livraison {number}")
            canvas.setFont("Arabic", 10)
            y = paragraph(
                canvas,
                f"Nous livrons partout au Maroc, en {number} jours ouvrés au plus, tous les jours de la semaine {number}.",
                y=750,
            )
            paragraph(canvas, f"Les frais sont offerts dès {number}00 DH d'achat.", y=y)
            canvas.showPage()
        canvas.setFont("Arabic", 10)
        paragraph(canvas, "Et aussi à l'étranger, selon le pays de destination.")

    found = extract("guide.pdf", drawn(draw))
    assert (found.title, found.media_type, found.warnings) == ("Guide du client", "application/pdf", ())
    assert [(part.loc, part.title) for part in found.parts] == [
        ("#page=1", "Livraison 1"),
        ("#page=2", "Livraison 2"),
        ("#page=3", "Livraison 2"),
    ]
    assert found.parts[0].text == (
        "Nous livrons partout au Maroc, en 1 jours ouvrés au plus, tous les jours de la semaine 1.\n\n"
        "Les frais sont offerts dès 100 DH d'achat."
    )


def test_two_columns_are_read_one_after_the_other_and_divided_words_are_joined() -> None:
    left = [f"Colonne gauche, ligne {number}, qui parle de la livrai-" for number in range(12)]
    right = [f"Colonne droite, ligne {number}, qui parle des retours." for number in range(12)]

    def draw(canvas: Canvas) -> None:
        canvas.setFont("Arabic", 9)
        canvas.drawString(
            60, 800, "Un chapeau qui va d'un bord à l'autre de la page, au-dessus des deux colonnes, entièrement."
        )
        for number in range(12):
            canvas.drawString(
                60, 770 - 12 * number, left[number].replace("Colonne", "son Colonne") if number else left[0]
            )
            canvas.drawString(320, 770 - 12 * number, right[number])

    text = words(extract("a.pdf", drawn(draw)))
    assert text.index("Un chapeau") < text.index("gauche, ligne 0")
    assert text.index("gauche, ligne 11") < text.index("droite, ligne 0")
    assert text.count("la livraison Colonne gauche") == 11


def test_cells_of_a_table_stay_in_their_rows() -> None:
    rows = [
        ("Ville", "Horaires", "Tarif"),
        ("Rabat", "9h-18h", "30 DH"),
        ("Fès", "8h-16h", "25 DH"),
        ("Oujda", "9h-17h", "35 DH"),
    ]

    def draw(canvas: Canvas) -> None:
        for number, row in enumerate(rows):
            for column, cell in enumerate(row):
                canvas.drawString(60 + 150 * column, 700 - 16 * number, cell)

    assert extract("a.pdf", drawn(draw)).parts[0].text.split("\n") == [" | ".join(row) for row in rows]


def test_what_every_page_repeats_is_left_out() -> None:
    def draw(canvas: Canvas) -> None:
        for number in range(1, 6):
            canvas.setFont("Arabic", 10)
            canvas.drawString(60, 820, "Atlas Shop — conditions générales")
            canvas.drawString(280, 30, f"Page {number} / 5")
            y = 760.0
            for item in range(4):
                y = paragraph(
                    canvas, f"L'article {number}.{item} dit quelque chose de particulier que l'on cherche.", y=y
                )
            canvas.showPage()

    found = extract("a.pdf", drawn(draw))
    assert len(found.parts) == 5
    assert not [part for part in found.parts if "Atlas Shop" in part.text or "Page" in part.text]
    assert all(f"L'article {number}.{item} " in words(found) for number in range(1, 6) for item in range(4))


def test_pages_without_readable_text_are_reported_and_blank_ones_are_not() -> None:
    def draw(canvas: Canvas) -> None:
        canvas.drawString(60, 700, "Une page que l'on peut lire.")
        canvas.showPage()
        canvas.rect(60, 60, 400, 600, fill=1)  # as a scanned page: something to see, nothing to read
        canvas.showPage()
        canvas.showPage()
        canvas.setFont("Arabic", 12)
        canvas.drawString(60, 700, "\ue001\ue002\ue003\ue004\ue005 \ue006\ue007\ue008")
        canvas.showPage()

    found = extract("a.pdf", drawn(draw))
    assert [part.loc for part in found.parts] == ["#page=1"]
    assert found.warnings == ("page 2 has no readable text", "page 4 has no readable text")


def test_glyphs_whose_meaning_the_file_does_not_tell_are_not_taken_for_text() -> None:
    file = visual_pdf(["كيف يمكنني تتبع طلبي من المغرب اليوم"] * 5).replace(b"/ToUnicode", b"/ToNothing")
    found = extract("a.pdf", file)
    assert not found.parts
    assert "page 1 has no readable text" in found.warnings


def test_protected_and_damaged_files_are_refused_in_words() -> None:
    locked = drawn(
        lambda canvas: canvas.drawString(60, 700, "secret"), encrypt=StandardEncryption("password", canPrint=0)
    )
    with pytest.raises(InvalidInput, match="password"):
        extract("a.pdf", locked)
    whole = visual_pdf(ARABIC)
    for damaged in (b"%PDF-1.7\n", whole[:300], b"%PDF-1.4\n" + b"\0\xff" * 5000):
        with pytest.raises(InvalidInput, match="damaged"):
            extract("a.pdf", damaged)
