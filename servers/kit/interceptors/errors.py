"""Lets only errors of the contract leave: what is unforeseen is logged whole and told as a bare `internal_error`."""

from __future__ import annotations

from types import TracebackType

import grpc
import structlog
from opentelemetry import trace

from servers.kit.call import Call
from servers.kit.errors import InternalError, SalamError, Unimplemented, UpstreamError
from servers.kit.interceptors.base import Interceptor

MASKED = "something went wrong on our side; quote the correlation id when you report it"

log = structlog.get_logger(__name__)


class Errors(Interceptor):
    """Maps and masks what handlers raise."""

    contract_only = False

    def around(self, call: Call) -> _Mask:
        """See Interceptor."""
        return _Mask(call)


class _Mask:
    __slots__ = ("_call",)

    def __init__(self, call: Call) -> None:
        self._call = call

    async def __aenter__(self) -> None:
        """Nothing to do."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # What is no Exception (a cancellation) is not an error, and passes.
        if isinstance(error, InternalError) or (isinstance(error, Exception) and not isinstance(error, SalamError)):
            raise self._told(error) from None

    def _told(self, error: Exception) -> SalamError:
        method = self._call.method.name
        if isinstance(error, NotImplementedError):
            return Unimplemented(f"{method} is not built yet")
        if isinstance(error, ConnectionError | grpc.RpcError):
            # A driver's own connection error that no adapter translated: still the fault of what stands behind us.
            log.warning("a service behind this one failed", method=method, exc_info=error)
            return UpstreamError("a service behind this one is out of reach; try again later")
        if isinstance(error, InternalError) and error.message == MASKED:
            return error  # of a component behind this one, which has logged it
        trace.get_current_span().record_exception(error)
        log.error("unforeseen error", method=method, exc_info=error)
        return InternalError(MASKED)
