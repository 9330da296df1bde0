"""Lets only errors of the contract leave: what is unforeseen is logged whole and told as a bare `internal_error`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

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

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        try:
            yield
        except SalamError:
            raise
        except NotImplementedError:
            raise Unimplemented(f"{call.method.name} is not built yet") from None
        except (ConnectionError, grpc.RpcError) as error:
            # A driver's own connection error that no adapter translated: still the fault of what stands behind us.
            log.warning("a service behind this one failed", method=call.method.name, exc_info=error)
            raise UpstreamError("a service behind this one is out of reach; try again later") from None
        except Exception as error:
            trace.get_current_span().record_exception(error)
            log.error("unforeseen error", method=call.method.name, exc_info=error)
            raise InternalError(MASKED) from None
