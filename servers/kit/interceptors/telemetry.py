"""One span and one measurement for every RPC, over a socket and in process alike."""

from __future__ import annotations

import asyncio
import time
from functools import lru_cache
from types import TracebackType

import structlog
from opentelemetry import context, propagate, trace
from opentelemetry.trace import SpanKind, Status, StatusCode
from prometheus_client import Histogram

from servers.kit.call import Call
from servers.kit.errors import SalamError
from servers.kit.interceptors.base import Interceptor
from servers.kit.telemetry import RPC_SECONDS

log = structlog.get_logger(__name__)


@lru_cache(maxsize=4096)
def _series(method: str, code: str) -> Histogram:
    return RPC_SECONDS.labels(method, code)


class Telemetry(Interceptor):
    """Follows the W3C trace of the caller; attributes hold names and codes, never a customer's text."""

    contract_only = False

    def __init__(self) -> None:
        self._tracer = trace.get_tracer("salambot.kit")

    def around(self, call: Call) -> _Measured:
        """See Interceptor."""
        return _Measured(self._tracer, call)


class _Measured:
    __slots__ = ("_began", "_call", "_span", "_token", "_tracer")

    def __init__(self, tracer: trace.Tracer, call: Call) -> None:
        self._tracer = tracer
        self._call = call

    async def __aenter__(self) -> None:
        call = self._call
        self._began = time.perf_counter()
        self._span = self._tracer.start_span(
            call.method.path[1:],
            context=propagate.extract(call.metadata) if "traceparent" in call.metadata else None,
            kind=SpanKind.SERVER,
            attributes={"rpc.system": "grpc", "rpc.method": call.method.path},
        )
        self._token = context.attach(trace.set_span_in_context(self._span))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        code = "ok"
        if isinstance(error, SalamError):
            code = error.reason
            log.info(
                "call refused", method=self._call.method.name, reason=code, detail=error.detail, message=error.message
            )
        elif isinstance(error, asyncio.CancelledError | GeneratorExit):
            code = "cancelled"
        if self._span.is_recording():
            self._describe(code)
        self._span.end()
        context.detach(self._token)
        _series(self._call.method.name, code).observe(time.perf_counter() - self._began)

    def _describe(self, code: str) -> None:
        self._span.set_attribute("salambot.code", code)
        if code not in ("ok", "cancelled"):
            self._span.set_status(Status(StatusCode.ERROR, code))
        envelope = self._call.envelope
        if envelope is not None:
            self._span.set_attribute("salambot.correlation_id", envelope.correlation_id)
            self._span.set_attribute("salambot.tenant", envelope.tenant)
