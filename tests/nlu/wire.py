"""Analyze as clients call it: over a gRPC socket, or as JSON over REST."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from salambot.nlu.v1 import nlu_pb2

from gateway.transcoding.codec import Codec
from servers.kit.errors import InvalidInput, SalamError, Violation
from tests.nlu.installation import Client

Analyze = Callable[..., Awaitable[nlu_pb2.Analysis]]
"""`await analyze(client, text, **fields)`; raises what the contract says."""

GRPC, REST = "grpc", "rest"

_ANALYSIS = Codec().of(nlu_pb2.Analysis.DESCRIPTOR)


async def over_grpc(client: Client, text: str, **fields: Any) -> nlu_pb2.Analysis:
    """Asks over gRPC."""
    return await client.analyze(text, **fields)


def over_rest(http: httpx.AsyncClient) -> Analyze:
    """Asks over REST; what JSON cannot say is escaped."""

    async def analyze(client: Client, text: str, **fields: Any) -> nlu_pb2.Analysis:
        response = await http.post("/v1/nlu/analyze", **client.rest(text=text, **fields))
        body = response.json()
        if response.is_error:
            raise _error(body["error"])
        return _ANALYSIS.read(body["data"])  # type: ignore[no-any-return]

    return analyze


def _error(error: dict[str, Any]) -> SalamError:
    assert error["code"] == InvalidInput.reason, error
    details = error.get("details", [])
    return InvalidInput(
        error["message"], violations=[Violation(detail["field"], detail["description"]) for detail in details]
    )
