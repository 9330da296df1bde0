"""How long an inference may take."""

from __future__ import annotations

from servers.kit.call import current_or_none
from servers.kit.errors import Timeout

LONGEST_SECONDS = 30.0  # outside of a call: jobs and warm-up


def seconds_left() -> float:
    """Seconds an inference may take for the current call. Raises Timeout when none are left."""
    call = current_or_none()
    left = LONGEST_SECONDS if call is None else min(call.remaining(), LONGEST_SECONDS)
    if left <= 0:
        raise Timeout("no time is left for the model")
    return left
