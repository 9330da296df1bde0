"""One span and one measurement for every RPC, over a socket and in process alike."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache

import structlog
from opentelemetry import propagate, trace
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

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        parent = propagate.extract(call.metadata) if "traceparent" in call.metadata else None
        code = "ok"
        began = time.perf_counter()
        with self._tracer.start_as_current_span(
            call.method.path[1:],
            context=parent,
            kind=SpanKind.SERVER,
            attributes={"rpc.system": "grpc", "rpc.method": call.method.path},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except SalamError as error:
                code = error.reason
                span.set_status(Status(StatusCode.ERROR, code))
                log.info(
                    "call refused", method=call.method.name, reason=code, detail=error.detail, message=error.message
                )
                raise
            except asyncio.CancelledError:
                code = "cancelled"
                raise
            finally:
                if span.is_recording():
                    span.set_attribute("salambot.code", code)
                    if call.envelope is not None:
                        span.set_attribute("salambot.correlation_id", call.envelope.correlation_id)
                        span.set_attribute("salambot.tenant", call.envelope.tenant)
                _series(call.method.name, code).observe(time.perf_counter() - began)
