"""Replies of decoupled models: any number of responses to one request, over Triton's gRPC stream.

Requests are built from tritonclient's messages, as in servers/kit/inference/triton.py: its own client cannot ask for the
response that says it is the last.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc
import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc

from servers.kit.call import current_or_none
from servers.kit.errors import InvalidInput, SalamError, Timeout, UpstreamError
from servers.kit.inference.triton import DTYPES, OPTIONS

_DESCRIBE_S = 2.0
_FINAL = "triton_final_response"

Outputs = Mapping[str, list[Any]]
"""The values of one response by output, flat: str, bool, int or float."""


class DecoupledModel:
    """One model of a Triton server. What it takes is asked once: inputs it does not have are left out of requests."""

    def __init__(self, stub: Any, name: str) -> None:
        self._stub = stub
        self._name = name
        self._inputs: dict[str, Any] | None = None

    async def stream(self, values: Mapping[str, Sequence[Any]]) -> AsyncGenerator[Outputs]:
        """The responses to `values`, str, bool, int or float by input; closing the generator cancels the work.

        Raises UpstreamError, Timeout, or InvalidInput when the model refuses the request.
        """
        async with _errors(self._name):
            request = _request(self._name, await self.inputs(), values)
            call = current_or_none()
            responses = self._stub.ModelStreamInfer(_once(request), timeout=call.remaining() if call else None)
            try:
                async for response in responses:
                    if response.error_message:
                        raise UpstreamError(f"model {self._name} failed")
                    yield _outputs(response.infer_response)
                    if response.infer_response.parameters[_FINAL].bool_param:
                        return
            finally:
                responses.cancel()
        raise UpstreamError(f"model {self._name} broke off its reply")

    async def inputs(self) -> dict[str, Any]:
        """What the model takes, by name: its metadata. Raises UpstreamError or Timeout."""
        if self._inputs is None:
            async with _errors(self._name):
                metadata = await self._stub.ModelMetadata(
                    service_pb2.ModelMetadataRequest(name=self._name), timeout=_DESCRIBE_S
                )
            self._inputs = {tensor.name: tensor for tensor in metadata.inputs}
        return self._inputs


class TritonStreams:
    """The decoupled models of the Triton at `url` (gRPC, host:port). Open it in the event loop that uses it."""

    def __init__(self, url: str) -> None:
        self._channel = grpc.aio.insecure_channel(url, OPTIONS)
        self._stub: Any = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        self._models: dict[str, DecoupledModel] = {}

    def model(self, name: str) -> DecoupledModel:
        """The model of that name, there or not."""
        return self._models.setdefault(name, DecoupledModel(self._stub, name))

    async def ready(self, name: str) -> None:
        """Returns when the model can be asked; raises UpstreamError or Timeout when not."""
        async with _errors(name):
            reply = await self._stub.ModelReady(service_pb2.ModelReadyRequest(name=name), timeout=_DESCRIBE_S)
        if not reply.ready:
            raise UpstreamError(f"model {name} is not served")

    async def close(self) -> None:
        """Closes the connection."""
        await self._channel.close()


def _request(name: str, inputs: Mapping[str, Any], values: Mapping[str, Sequence[Any]]) -> Any:
    request = service_pb2.ModelInferRequest(model_name=name)
    # Without it the stream of a decoupled model does not tell where a reply ends.
    request.parameters["triton_enable_empty_final_response"].bool_param = True
    for key, items in values.items():
        if (tensor := inputs.get(key)) is None:
            continue
        shape = [*[1] * (len(tensor.shape) - 1), len(items)]  # a batch of one, where the model takes batches
        request.inputs.add(name=key, datatype=tensor.datatype, shape=shape)
        request.raw_input_contents.append(_bytes(tensor.datatype, items))
    return request


def _bytes(datatype: str, items: Sequence[Any]) -> bytes:
    if datatype == "BYTES":
        texts = [str(item).encode() for item in items]
        return b"".join(len(text).to_bytes(4, "little") + text for text in texts)
    return np.asarray(items, DTYPES[datatype]).tobytes()


def _outputs(response: Any) -> Outputs:
    return {
        tensor.name: _values(tensor.datatype, raw)
        for tensor, raw in zip(response.outputs, response.raw_output_contents, strict=True)
    }


def _values(datatype: str, raw: bytes) -> list[Any]:
    if datatype != "BYTES":
        return list(np.frombuffer(raw, DTYPES[datatype]).tolist())
    found, start = [], 0
    while start < len(raw):
        end = start + 4 + int.from_bytes(raw[start : start + 4], "little")
        found.append(raw[start + 4 : end].decode("utf-8", "replace"))
        start = end
    return found


async def _once(request: Any) -> AsyncIterator[Any]:
    yield request


@asynccontextmanager
async def _errors(name: str) -> AsyncIterator[None]:
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise _error(name, error) from error
    except (KeyError, ValueError) as error:
        raise UpstreamError(f"model {name} answered nonsense") from error


def _error(name: str, error: grpc.aio.AioRpcError) -> SalamError:
    match error.code():
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return Timeout(f"model {name} did not answer in time")
        case grpc.StatusCode.UNAVAILABLE:
            return UpstreamError(f"model {name}: Triton cannot be reached")
        case grpc.StatusCode.INVALID_ARGUMENT:
            return InvalidInput(f"model {name} refuses the request")
        case _:
            return UpstreamError(f"model {name} failed ({error.code().name.lower()})")
