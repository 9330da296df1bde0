"""Plain text: Markdown's headings where there are some, questions with their answers, else one part."""

from __future__ import annotations

import re

from servers.rag.extraction.extracted import Extracted
from servers.rag.extraction.letters import decoded, plain
from servers.rag.extraction.markdown import parts_of
from servers.rag.extraction.outline import Outline

_LONGEST_QUESTION = 200
_ASKED = re.compile(r"(?:Q|Question|السؤال|سؤال|س)[ \t]{0,3}\d{0,4}[ \t]{0,3}[:.)-][ \t]*(.+)", re.IGNORECASE)
_ANSWERED = re.compile(
    r"(?:R|A|Rép|Réponse|Answer|الجواب|جواب|ج)[ \t]{0,3}\d{0,4}[ \t]{0,3}[:.)-][ \t]*", re.IGNORECASE
)


def read_markdown(name: str, data: bytes, charset: str = "") -> Extracted:
    """A Markdown file; its title is its first heading."""
    parts = parts_of(plain(decoded(data, charset)))
    title = next((part.title for part in parts if part.title), name)
    return Extracted(title, "text/markdown", tuple(parts))


def read_text(name: str, data: bytes, charset: str = "") -> Extracted:
    """A text file. A line that begins a paragraph and asks, or is marked `Q:`, is the title of what follows it."""
    text = plain(decoded(data, charset))
    outline = Outline()
    asked, body = "", list[str]()

    def end_section() -> None:
        if asked and any(map(str.strip, body)):
            outline.heading(asked)
        else:
            outline.text(asked)  # that nothing answers
        outline.text("\n".join(body))

    for line in text.split("\n"):
        begins = not body or not body[-1].strip()
        if begins and (title := _question(line.strip())):
            end_section()
            asked, body = title, []
        else:
            body.append(line if body else _ANSWERED.sub("", line, count=1))
    end_section()
    return Extracted(name, "text/plain", tuple(outline.parts()))


def _question(line: str) -> str:
    if len(line) > _LONGEST_QUESTION:
        return ""
    if marked := _ASKED.fullmatch(line):
        return marked[1]
    return line if line.endswith(("?", "؟")) else ""
