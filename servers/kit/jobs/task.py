"""What a process knows how to do: a name, the function behind it, and how often and how long it may try."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from servers.kit.errors import InvalidInput, PermissionDenied, SalamError, Unauthorized

Payload = dict[str, Any]
"""What a job is told, as JSON: ids of things, never a customer's words. `tenant` names whose job it is."""

Handler = Callable[[Payload], Awaitable[None]]
"""Does a job. It may be called again for the same payload, after a crash: a second call must change nothing."""

ATTEMPTS = 12
"""With the pauses below, three quarters of an hour: longer than most outages of what a job needs."""

SECONDS = 300.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 2.0, 900.0
_FINAL = (InvalidInput, Unauthorized, PermissionDenied)  # the same job would fail in the same way


@dataclass(frozen=True, slots=True)
class Task:
    """A kind of job. `seconds` is the time one attempt may take; `cron`, in UTC, enqueues it by itself."""

    name: str
    handler: Handler
    attempts: int = ATTEMPTS
    seconds: float = SECONDS
    cron: str | None = None

    def pause(self, error: Exception, failures: int) -> timedelta | None:
        """How long to wait before the next attempt after `failures` before this one; None when there is none."""
        if isinstance(error, _FINAL) or failures + 1 >= self.attempts:
            return None
        # Jitter, so that what failed together does not come back together.
        growing = min(_FIRST_PAUSE_S * 2**failures, _LONGEST_PAUSE_S) * random.uniform(0.75, 1.0)  # noqa: S311
        asked = error.retry_after if isinstance(error, SalamError) else None
        return timedelta(seconds=max(growing, asked or 0.0))


def described(error: Exception) -> str:
    """What may be kept about a failure: our own errors' messages, and only the type of any other.

    A driver's message may quote a customer's row.
    """
    return error.message if isinstance(error, SalamError) else type(error).__name__
