"""What the kit does around every RPC, on both transports and all four shapes.

The order on the server, outermost first; each has its reason:

1. telemetry   sees every call, also those refused below, and gives logs their trace
2. errors      everything below may raise; only errors of the contract leave
3. deadline    nothing below, not even checking a credential, may outlast the caller
4. auth        the tenant comes from the credential; nothing below runs without one
5. limits      counted by credential, before any work is done
6. envelope    each message that comes in: filled in, and of the credential's tenant; each reply: the request's envelope
7. validation  each message that comes in, now complete, against the rules of the schema
"""

from servers.kit.interceptors.auth import Auth, Authenticator
from servers.kit.interceptors.base import Interceptor
from servers.kit.interceptors.deadline import Deadline
from servers.kit.interceptors.envelope import EnvelopeCheck
from servers.kit.interceptors.errors import Errors
from servers.kit.interceptors.limits import Limiter, Limits
from servers.kit.interceptors.telemetry import Telemetry
from servers.kit.interceptors.validation import Validation

__all__ = ["Interceptor", "server_interceptors"]


def server_interceptors(authenticator: Authenticator, limiter: Limiter) -> tuple[Interceptor, ...]:
    """The interceptors of a server, outermost first."""
    return (
        Telemetry(),
        Errors(),
        Deadline(),
        Auth(authenticator),
        Limits(limiter),
        EnvelopeCheck(),
        Validation(),
    )
