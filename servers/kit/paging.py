"""Pages of a list: sizes, and opaque tokens that hold the key after which the next page begins."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime

import orjson

from servers.kit.errors import InvalidInput, Violation

DEFAULT_SIZE = 50


def size(asked: int) -> int:
    """The page size to use; the schema bounds what may be asked for."""
    return asked or DEFAULT_SIZE


def token(*position: str | datetime) -> str:
    """A token for the position of a page's last item."""
    return base64.urlsafe_b64encode(orjson.dumps(position)).decode()


def key(page_token: str) -> str:
    """The key in a token made of one; empty for the first page. Raises InvalidInput."""
    return str(_position(page_token, 1)[0]) if page_token else ""


def moment_and_key(page_token: str) -> tuple[datetime, str] | None:
    """The moment and key in a token made of both; None for the first page. Raises InvalidInput."""
    if not page_token:
        return None
    moment, name = _position(page_token, 2)
    try:
        return datetime.fromisoformat(moment).astimezone(UTC), name
    except (ValueError, OverflowError):
        raise _refusal() from None


def _position(page_token: str, length: int) -> list[str]:
    try:
        position = orjson.loads(base64.urlsafe_b64decode(page_token))
    except (ValueError, binascii.Error):
        raise _refusal() from None
    if not isinstance(position, list) or len(position) != length:
        raise _refusal()
    if not all(isinstance(part, str) and "\0" not in part for part in position):  # Postgres takes no NUL
        raise _refusal()
    return position


def _refusal() -> InvalidInput:
    return InvalidInput(
        "the page token is not one of ours", violations=[Violation("data.page_token", "must be a next_page_token")]
    )
