"""Page tokens: where a list goes on, opaque to the caller."""

from __future__ import annotations

import base64
import binascii
import re

from servers.kit.errors import InvalidInput, Violation

_MARK = b"d1:"  # what the token is of, and its form
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def token_after(document: str) -> str:
    """The token of the page behind a document."""
    return base64.urlsafe_b64encode(_MARK + document.encode()).decode().rstrip("=")


def document_of(token: str) -> str:
    """The document a page goes on behind, empty for the first; raises InvalidInput for a token that is not ours."""
    if not token:
        return ""
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        if text.startswith(_MARK) and _ID.fullmatch(document := text.removeprefix(_MARK).decode("ascii")):
            return document
    except (binascii.Error, ValueError):
        pass
    rule = "must be the `next_page_token` of an earlier page"
    raise InvalidInput(f"the page token {rule}", violations=[Violation("data.page_token", rule)])
