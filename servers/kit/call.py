"""The call being served: who asks, for which message, until when. One per RPC, found through a context variable."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from salambot.common.v1 import envelope_pb2

from servers.kit.errors import InternalError
from servers.kit.method import Method
from servers.kit.principal import Principal


@dataclass(slots=True)
class Call:
    """One RPC being served.

    `deadline` is on the clock of `time.monotonic()`. `principal` is None until the credential was checked, and
    `envelope` until the first message came in.
    """

    method: Method
    metadata: dict[str, str]
    deadline: float
    principal: Principal | None = None
    envelope: envelope_pb2.Envelope | None = None

    @property
    def tenant(self) -> str:
        """The tenant of the credential."""
        if self.principal is None:
            raise InternalError("the call has no credential")
        return self.principal.tenant

    def remaining(self) -> float:
        """Seconds left before the deadline; negative once it has passed."""
        return self.deadline - time.monotonic()


_current: ContextVar[Call] = ContextVar("salambot_call")


def current() -> Call:
    """The call being served; an error outside of one."""
    return _current.get()


def current_or_none() -> Call | None:
    """The call being served, or None in jobs and at start."""
    return _current.get(None)


@contextmanager
def serving(call: Call) -> Iterator[None]:
    """Makes `call` the current one."""
    token = _current.set(call)
    try:
        yield
    finally:
        _current.reset(token)


def work(method: Method, principal: Principal, envelope: envelope_pb2.Envelope, seconds: float) -> Call:
    """A call for work nobody waits for: jobs, imports, events."""
    return Call(method, {}, time.monotonic() + seconds, principal, envelope)
