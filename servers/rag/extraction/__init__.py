"""Files of any kind as parts: headings with their text, pages, slides, rows, questions with their answers."""

from servers.rag.extraction.apart import Extractor
from servers.rag.extraction.extracted import MOST_BYTES, Extracted, UnknownKind

__all__ = ["MOST_BYTES", "Extracted", "Extractor", "UnknownKind"]
