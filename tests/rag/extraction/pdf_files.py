"""PDFs as different producers write them: the same words, in the same places, in different orders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import arabic_reshaper
from bidi import get_display
from fpdf import FPDF
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

_WIDTH, _MARGIN, _TOP, _STEP = 595.0, 60.0, 780.0, 16.0


def _font() -> Path:
    spec = find_spec("matplotlib")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "mpl-data/fonts/ttf/DejaVuSans.ttf"


def drawn(draw: Callable[[Canvas], None], **options: object) -> bytes:
    """A PDF that `draw` makes, with the font `Arabic` at hand."""
    pdfmetrics.registerFont(TTFont("Arabic", str(_font())))
    file = BytesIO()
    canvas = Canvas(file, **options)
    canvas.setFont("Arabic", 12)
    draw(canvas)
    canvas.save()
    return file.getvalue()


def visual_pdf(lines: Sequence[str]) -> bytes:
    """Lines of presentation forms from left to right, as old converters write them."""

    def draw(canvas: Canvas) -> None:
        for number, line in enumerate(lines):
            seen = get_display(arabic_reshaper.reshape(line), base_dir="R")
            canvas.drawRightString(_WIDTH - _MARGIN, _TOP - number * _STEP, seen)

    return drawn(draw)


def logical_pdf(lines: Sequence[str]) -> bytes:
    """Glyph by glyph in the order they are read, each put in its place, from the right."""

    def draw(canvas: Canvas) -> None:
        for number, line in enumerate(lines):
            seen = get_display(arabic_reshaper.reshape(line), base_dir="R")
            x = _WIDTH - _MARGIN - pdfmetrics.stringWidth(seen, "Arabic", 12)
            placed = []
            for glyph in seen:
                placed.append((x, glyph))
                x += pdfmetrics.stringWidth(glyph, "Arabic", 12)
            for left, glyph in reversed(placed):
                if not glyph.isspace():
                    canvas.drawString(left, _TOP - number * _STEP, glyph)

    return drawn(draw)


def shaped_pdf(lines: Sequence[str]) -> bytes:
    """Plain letters shaped by HarfBuzz, as browsers and Word write them: ligatures stand for several letters."""
    pdf = FPDF()
    pdf.add_page()
    pdf.add_font("Arabic", fname=str(_font()))
    pdf.set_font("Arabic", size=12)
    pdf.set_text_shaping(True, direction="rtl")
    for line in lines:
        pdf.cell(w=0, h=8, text=line, align="R", new_x="LMARGIN", new_y="NEXT")
    return bytes(pdf.output())


PRODUCERS = {"visual": visual_pdf, "logical": logical_pdf, "shaped": shaped_pdf}
