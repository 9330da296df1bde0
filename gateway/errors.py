"""The one table of errors on HTTP, and how an error is written: the envelope with `error` in place of `data`."""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from servers.kit import errors
from servers.kit.errors import InvalidInput, NotFound, SalamError

SCHEMA_VERSION = "1.0"
_ECHOED = ("tenant", "channel", "message_id", "correlation_id", "locale")
_LONGEST_ECHO = 256


class MethodNotAllowed(InvalidInput):
    """The path exists, but not for this HTTP method."""

    detail = "method_not_allowed"

    def __init__(self, allowed: Iterable[str]) -> None:
        self.allowed = ", ".join(sorted(allowed))
        super().__init__(f"this path answers {self.allowed}")


class TooLarge(InvalidInput):
    """The body is larger than the gateway takes."""

    detail = "too_large"


class UnsupportedMediaType(InvalidInput):
    """The body is not JSON by its own account."""

    detail = "unsupported_media_type"


class NoSuchPath(NotFound):
    """Nothing is served at this path."""

    def __init__(self) -> None:
        super().__init__("nothing is served at this path; /openapi.json lists what is")


HTTP_STATUS: dict[type[SalamError], int] = {
    SalamError: 500,
    InvalidInput: 400,
    NotFound: 404,
    NoSuchPath: 404,
    MethodNotAllowed: 405,
    errors.Conflict: 409,
    TooLarge: 413,
    UnsupportedMediaType: 415,
    errors.Unauthorized: 401,
    errors.PermissionDenied: 403,
    errors.RateLimited: 429,
    errors.InternalError: 500,
    errors.Unimplemented: 501,
    errors.UpstreamError: 502,
    errors.Timeout: 504,
}


def http_status(error: SalamError) -> int:
    """The status of an error, or of what it is a kind of."""
    return next(HTTP_STATUS[kind] for kind in type(error).__mro__ if kind in HTTP_STATUS)


class Rendered(NamedTuple):
    """An error as an HTTP reply."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


def render(error: SalamError, given: object) -> Rendered:
    """The reply that tells a client of an error."""
    headers: list[tuple[bytes, bytes]] = []
    if error.retry_after is not None:
        headers.append((b"retry-after", str(max(1, math.ceil(error.retry_after))).encode()))
    if isinstance(error, errors.Unauthorized):
        headers.append((b"www-authenticate", b'Bearer realm="salambot"'))
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", error.allowed.encode()))
    return Rendered(http_status(error), headers, orjson.dumps(error_envelope(error, given)))


def error_envelope(error: SalamError, given: object) -> dict[str, Any]:
    """The envelope with `error` in place of `data`.

    It repeats what `given`, the parsed request, says of itself, whatever else is wrong with it; what is not known is null.
    """
    known = given if type(given) is dict else {}
    echo = {key: value if _can_be_told(value := known.get(key)) else None for key in _ECHOED}
    details: list[dict[str, str]] = [{"reason": error.detail}] if error.detail else []
    details += [
        {"field": violation.field.removeprefix("envelope."), "description": violation.description}
        for violation in error.violations
    ]
    return {
        "schema_version": SCHEMA_VERSION,
        "tenant": echo["tenant"],
        "channel": echo["channel"],
        "message_id": echo["message_id"],
        "correlation_id": echo["correlation_id"] or new_id("corr"),
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "locale": echo["locale"],
        "error": {"code": error.reason, "message": error.message, "details": details},
    }


def fault() -> errors.InternalError:
    """What a client is told of a fault of ours: the cause stands in the log."""
    return errors.InternalError("something went wrong on our side; the correlation id leads us to it")


def new_id(prefix: str) -> str:
    """A random identifier for a request that brings none."""
    return f"{prefix}_{secrets.token_hex(16)}"


def _can_be_told(value: object) -> bool:
    """Whether a value may stand in a reply: short text without half surrogate pairs."""
    return (
        type(value) is str and len(value) <= _LONGEST_ECHO and not any("\ud800" <= char <= "\udfff" for char in value)
    )
