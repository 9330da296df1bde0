"""Which reader a file is for: by what it holds, then by its ending and by what its source says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from email.message import Message
from pathlib import PurePosixPath
from typing import Final

from servers.kit.errors import InvalidInput, SalamError
from servers.rag.extraction.extracted import MOST_BYTES, Extracted, UnknownKind
from servers.rag.extraction.letters import plain
from servers.rag.extraction.package import opened

_KINDS: Final = "Markdown, HTML, PDF, DOCX, PPTX, XLSX, CSV, JSON and plain text"
_ENDINGS: Final = {
    "md": "markdown", "markdown": "markdown", "html": "html", "htm": "html", "xhtml": "html", "csv": "csv", "tsv": "csv",
    "jsonl": "json", "ndjson": "json", "json": "json", "txt": "text", "text": "text", "": "text",
}  # fmt: skip
_MEDIA_TYPES: Final = {
    "text/markdown": "markdown", "text/html": "html", "application/xhtml+xml": "html", "text/csv": "csv",
    "application/json": "json", "application/jsonl": "json", "application/x-ndjson": "json", "text/plain": "text",
}  # fmt: skip
_OLD_OFFICE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_BINARY: Final = (
    b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"Rar!", b"\x1f\x8b", b"7z\xbc\xaf", b"MZ", b"\x7fELF", b"ID3", b"OggS",
    b"{\\rtf", b"II*\0", b"MM\0*", b"BM",
)  # fmt: skip
_HEAD = 1024


def extract(name: str, data: bytes, media_type: str = "") -> Extracted:
    """The parts of the file `name`. `media_type` is what its source says of it, as HTTP writes it; the content comes first.

    Raises UnknownKind for a kind of file that is not read, InvalidInput for one that should be and cannot.
    """
    if len(data) > MOST_BYTES:
        raise InvalidInput(f"the file is larger than {MOST_BYTES >> 20} MB; split it")
    if not data.strip(b"\0 \t\r\n"):
        raise InvalidInput("the file is empty")
    path = PurePosixPath(name)
    said = Message()
    said["content-type"] = media_type or "application/octet-stream"
    kind = _kind(data, path.suffix.removeprefix(".").lower(), said.get_content_type())
    charset = said.get_param("charset", "")
    found = _read(kind, path.stem or name, data, str(charset))
    return replace(found, title=plain(found.title))


def _kind(data: bytes, ending: str, media_type: str) -> str:
    head = data[:_HEAD]
    if data.startswith(b"PK\x03\x04"):
        return _kind_of_package(data)
    if b"%PDF-" in head:
        return "pdf"
    if data.startswith(_OLD_OFFICE):
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise InvalidInput("the file is protected by a password; save it without one")
        raise UnknownKind("files of old Office versions are not read; save it as .docx, .xlsx or .pptx")
    if ending in {"pdf", "docx", "pptx", "xlsx"}:
        raise InvalidInput(f"the file is no {ending.upper()}, whatever its ending says, or is damaged")
    if data.startswith(_BINARY):
        raise UnknownKind(f"files of this kind are not read; what is read: {_KINDS}")
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype html", b"<html")):
        return "html"
    kind = _ENDINGS.get(ending) or _MEDIA_TYPES.get(media_type)
    if kind is None:
        raise UnknownKind(f"files that end in .{ending} are not read; what is read: {_KINDS}")
    return kind


def _kind_of_package(data: bytes) -> str:
    with opened(data) as archive:
        names = set(archive.namelist())
    for kind, main in (("docx", "word/document.xml"), ("pptx", "ppt/presentation.xml"), ("xlsx", "xl/workbook.xml")):
        if main in names:
            return kind
    if "mimetype" in names:
        raise UnknownKind("files of OpenDocument are not read; save it as .docx, .xlsx or .pptx")
    raise UnknownKind("archives are not read; import the files that are in it")


def _read(kind: str, name: str, data: bytes, charset: str) -> Extracted:
    """A file by the reader of its kind; whatever its library makes of a damaged one is one error."""
    try:
        return _reader(kind)(name, data, charset)
    except SalamError:
        raise
    except MemoryError:
        raise InvalidInput("the file takes more memory to read than there is for one; split it") from None
    except RecursionError:
        raise InvalidInput("the file nests its elements too deeply to be read") from None
    except Exception as error:
        problem = f"the file is damaged: it cannot be read as {kind.upper()}; save it again"
        raise InvalidInput(problem) from error


def _reader(kind: str) -> Callable[[str, bytes, str], Extracted]:
    """The reader of a kind, imported now: a child process that reads web pages needs no spreadsheets."""
    match kind:
        case "pdf":
            from servers.rag.extraction.pdf import read_pdf as read
        case "docx":
            from servers.rag.extraction.docx import read_docx as read
        case "pptx":
            from servers.rag.extraction.pptx import read_pptx as read
        case "xlsx":
            from servers.rag.extraction.xlsx import read_xlsx as read
        case "html":
            from servers.rag.extraction.html import read_html as read
        case "csv":
            from servers.rag.extraction.tabular import read_csv as read
        case "json":
            from servers.rag.extraction.tabular import read_json as read
        case "markdown":
            from servers.rag.extraction.plain_text import read_markdown as read
        case _:
            from servers.rag.extraction.plain_text import read_text as read
    return read
