"""The health of one model on one backend: whether it is worth asking, and how soon it begins to answer."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable

Clock = Callable[[], float]
"""Seconds that never go back, as `time.monotonic`."""

FAILURES = 3
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0

_MEMORY_S = 30.0
_REMEMBERED = 100
_ENOUGH = 20  # fewer measurements say nothing of a 95th percentile


class Breaker:
    """Circuit breaker: closed; open after failures in a row; half open when its pause is over, for one probe at a time.

    A probe that succeeds closes it, one that fails opens it for twice the pause. Every call asks `admits`, then `enter`s,
    and tells its outcome with what it was given; outcomes of calls from before the last change of state are not heard.
    """

    def __init__(self, clock: Clock = time.monotonic, failures: int = FAILURES) -> None:
        """`failures` in a row open it."""
        self._clock = clock
        self._most = failures
        self._failures = 0
        self._pause_s = 0.0  # 0 while closed
        self._until = 0.0
        self._probing = False
        self._generation = 0

    @property
    def closed(self) -> bool:
        """Whether all is well."""
        return not self._pause_s

    def admits(self) -> bool:
        """Whether a call may be made now."""
        return self.closed or (not self._probing and self._clock() >= self._until)

    def seconds_left(self) -> float:
        """How long calls are not admitted, as far as is known; 0 when they are."""
        return 0.0 if self.closed else max(0.0, self._until - self._clock())

    def enter(self) -> int:
        """Begins a call."""
        self._probing = not self.closed
        return self._generation

    def succeed(self, entered: int) -> None:
        """The call got its answer."""
        if entered == self._generation:
            self._failures = 0
            if not self.closed:
                self._change(0.0)

    def fail(self, entered: int, retry_after: float | None = None) -> None:
        """The call failed; `retry_after` is when the server asked to be left alone, in seconds."""
        if entered != self._generation:
            return
        self._failures += 1
        if retry_after is not None or not self.closed or self._failures >= self._most:
            longer = min(self._pause_s * 2 or _FIRST_PAUSE_S, _LONGEST_PAUSE_S)
            self._change(longer, min(retry_after or longer, _LONGEST_PAUSE_S))

    def leave(self, entered: int) -> None:
        """The call ended without an outcome: its caller went away."""
        if entered == self._generation:
            self._probing = False

    def _change(self, pause_s: float, shut_s: float = 0.0) -> None:
        self._generation += 1
        self._failures = 0
        self._probing = False
        self._pause_s = pause_s
        self._until = self._clock() + shut_s


class Latency:
    """Time to the first token, in seconds: its peaks at once, its lulls by and by, as Finagle's peak EWMA.

    What was measured fades: a model that was slow is tried again some time.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._average = 0.0
        self._at = clock()
        self._last: deque[float] = deque(maxlen=_REMEMBERED)

    def observe(self, seconds: float) -> None:
        """Counts one measurement in."""
        weight = math.exp((self._at - self._clock()) / _MEMORY_S)
        self._average = max(seconds, self._average * weight + seconds * (1 - weight))
        self._at = self._clock()
        self._last.append(seconds)

    @property
    def estimate(self) -> float:
        """How long the next call is likely to wait; 0 when nothing is known."""
        return self._average * math.exp((self._at - self._clock()) / _MEMORY_S)

    @property
    def p95(self) -> float | None:
        """What 19 of 20 calls kept below of late; None where too few were measured."""
        if len(self._last) < _ENOUGH:
            return None
        return sorted(self._last)[int(len(self._last) * 0.95)]


class Health:
    """All that is known of one model on one backend, and how many calls are in flight there."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self.breaker = Breaker(clock)
        self.latency = Latency(clock)
        self.in_flight = 0

    @property
    def load(self) -> float:
        """How long a new call is likely to wait, in seconds, behind those in flight."""
        return self.latency.estimate * (self.in_flight + 1)
