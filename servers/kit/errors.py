"""Errors of the contract: logic raises them, interceptors and the gateway's one table turn them into status codes.

Source: the contract's error table. `reason` is the word every transport shows (`ErrorInfo.reason`, `error.code`);
`detail` tells kinds of one word apart (`not_found`, `conflict`, `unimplemented`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple


class Violation(NamedTuple):
    """One rule a request breaks: the path of the field (`data.user_text`) and what the rule asks for."""

    field: str
    description: str


class SalamError(Exception):
    """An error that a caller is meant to read.

    `message` never holds a customer's text, a secret, SQL or a stack trace. `retry_after` is in seconds.
    """

    reason: ClassVar[str] = "internal_error"
    detail: ClassVar[str] = ""

    def __init__(self, message: str, *, violations: Sequence[Violation] = (), retry_after: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.violations = tuple(violations)
        self.retry_after = retry_after


class InvalidInput(SalamError):
    """The request breaks a rule of the contract."""

    reason = "invalid_input"


class NotFound(InvalidInput):
    """What the request names does not exist for this tenant."""

    detail = "not_found"


class Conflict(InvalidInput):
    """What the request asks for disagrees with the present state."""

    detail = "conflict"


class Unauthorized(SalamError):
    """No credential, or one that is unknown, revoked or expired."""

    reason = "unauthorized"


class PermissionDenied(SalamError):
    """The credential is good but not for this tenant or this RPC."""

    reason = "permission_denied"


class RateLimited(SalamError):
    """Too many requests; `retry_after` says when to come back."""

    reason = "rate_limited"


class InternalError(SalamError):
    """A fault of ours. The message is the same for all of them: the cause stands in the log."""


class Unimplemented(SalamError):
    """The RPC belongs to a component that is not built yet."""

    detail = "unimplemented"


class UpstreamError(SalamError):
    """A service behind this one is down or answered nonsense; the same request may succeed later."""

    reason = "upstream_error"


class Timeout(SalamError):
    """The caller's deadline, or the component's own limit, has passed."""

    reason = "timeout"
