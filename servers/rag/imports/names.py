"""Names of files and pages as ids of documents."""

from __future__ import annotations

import hashlib
import re
import unicodedata

_LONGEST = 96  # of the readable part; the contract allows 128 in all
_NOT_IN_ID = re.compile(r"[^a-z0-9.]+")
_SCHEME = re.compile(r"^https?://")


def document_id(source: str, name: str) -> str:
    """The id of the document that `name` becomes in `source`: the same every time, and no other's.

    Readable where the name is in Latin letters: `guides-remboursement.pdf-9f86d081884c`.
    """
    digest = hashlib.sha256(f"{source}\0{name}".encode()).hexdigest()[:12]
    plain = unicodedata.normalize("NFKD", _SCHEME.sub("", name).casefold()).encode("ascii", "ignore").decode()
    readable = _NOT_IN_ID.sub("-", plain)[-_LONGEST:].strip("-.")  # the end tells more than the folders before it
    return f"{readable}-{digest}" if readable else digest
