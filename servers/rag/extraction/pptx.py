"""Presentations, slide by slide."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

from pptx import Presentation
from pptx.enum.shapes import MSO_SHAPE_TYPE

from servers.rag.extraction.extracted import Extracted
from servers.rag.extraction.letters import one_line, plain
from servers.rag.extraction.package import check, opened
from servers.rag.extraction.tables import has_header, lines_of
from servers.rag.passages import Part

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.presentationml.presentation"


def read_pptx(name: str, data: bytes, charset: str = "") -> Extracted:
    """A part a slide that is not hidden, at `#slide=4`: its title, the texts in their order, tables, the speaker's notes."""
    with opened(data) as archive:
        check(archive)
    deck = Presentation(BytesIO(data))
    parts = []
    for number, slide in enumerate(deck.slides, start=1):
        if slide.element.get("show") == "0":
            continue
        heading = slide.shapes.title
        title = one_line(plain(heading.text_frame.text)) if heading is not None else ""
        blocks = [*_blocks(slide.shapes, heading)]
        if slide.has_notes_slide and (frame := slide.notes_slide.notes_text_frame) is not None:
            blocks.append(frame.text)
        text = plain("\n\n".join(block.strip() for block in blocks if block.strip()))
        if text or title:
            parts.append(Part(f"#slide={number}", title if text else "", text or title))
    title = one_line(deck.core_properties.title or "") or next((part.title for part in parts if part.title), name)
    return Extracted(title, MEDIA_TYPE, tuple(parts))


def _blocks(shapes: Any, heading: Any) -> Iterator[str]:
    """The texts of shapes from the top of the slide to its foot, those of a group together."""
    for shape in sorted(shapes, key=lambda shape: (shape.top or 0, shape.left or 0)):
        if heading is not None and shape.shape_id == heading.shape_id:
            continue
        if shape.shape_type == MSO_SHAPE_TYPE.GROUP:
            yield from _blocks(shape.shapes, heading)
        elif shape.has_text_frame:
            yield "\n".join(_line(paragraph) for paragraph in shape.text_frame.paragraphs if paragraph.text.strip())
        elif shape.has_table:
            rows = [[one_line(cell.text) for cell in row.cells] for row in shape.table.rows]
            header = rows[0] if shape.table.first_row or has_header(rows) else None
            yield "\n".join(f"- {line}" for line in lines_of(rows[1:] if header else rows, header))


def _line(paragraph: Any) -> str:
    text = str(paragraph.text).strip()
    return "  " * (paragraph.level - 1) + f"- {text}" if paragraph.level else text
