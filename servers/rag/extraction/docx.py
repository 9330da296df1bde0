"""Word files: headings, lists and tables, as mammoth gives them in HTML."""

from __future__ import annotations

from io import BytesIO

import mammoth

from servers.rag.extraction.extracted import Extracted
from servers.rag.extraction.html import parsed
from servers.rag.extraction.html_outline import outline_of
from servers.rag.extraction.package import check, opened

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

_STYLES = """
p[style-name='Title'] => h1:fresh
p[style-name='Titre'] => h1:fresh
p[style-name='Subtitle'] => p:fresh
"""


def read_docx(name: str, data: bytes, charset: str = "") -> Extracted:
    """The sections of a Word file."""
    with opened(data) as archive:
        check(archive)
    html = mammoth.convert_to_html(
        BytesIO(data), style_map=_STYLES, convert_image=mammoth.images.img_element(lambda _: {}), id_prefix=""
    ).value
    page, _ = parsed(html or "<p>")
    parts = outline_of(page).parts()
    title = next((part.title for part in parts if part.title), name)
    return Extracted(title, MEDIA_TYPE, tuple(parts))
