"""Inference by a Triton server over gRPC.

Requests are built from tritonclient's messages and not with its client: the wrapper objects cost some 50 µs of CPU a
call (of 350) and would convert the tensors once more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import grpc
import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc

from servers.kit.errors import SalamError, Timeout, UpstreamError
from servers.kit.inference.deadline import seconds_left
from servers.kit.inference.interfaces import Tensor

READY_SECONDS = 2.0
DTYPES = {
    "BOOL": np.bool_,
    "UINT8": np.uint8,
    "UINT16": np.uint16,
    "UINT32": np.uint32,
    "UINT64": np.uint64,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
}
NAMES = {np.dtype(dtype): name for name, dtype in DTYPES.items()}

OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # A Triton that was restarted is found again soon; calls meanwhile fail at once and their callers degrade.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.min_reconnect_backoff_ms", 2000),  # in effect how long one attempt to connect may take
]

_Request = service_pb2.ModelInferRequest


class TritonInference:
    """The models of the Triton at `url` (gRPC, host:port). Open it in the event loop that uses it."""

    def __init__(self, url: str) -> None:
        self._channel = grpc.aio.insecure_channel(url, OPTIONS)
        self._stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)

    async def infer(self, model: str, inputs: Mapping[str, Tensor], outputs: Sequence[str]) -> dict[str, Tensor]:
        """See Inference."""
        request = _Request(
            model_name=model,
            inputs=[_tensor(model, name, value) for name, value in inputs.items()],
            outputs=[_Request.InferRequestedOutputTensor(name=name) for name in outputs],
            raw_input_contents=[value.tobytes() for value in inputs.values()],
        )
        try:
            reply = await self._stub.ModelInfer(request, timeout=seconds_left())
        except grpc.aio.AioRpcError as error:
            raise _error(model, error) from error
        return {
            tensor.name: np.frombuffer(raw, DTYPES[tensor.datatype]).reshape(tensor.shape)
            for tensor, raw in zip(reply.outputs, reply.raw_output_contents, strict=True)
        }

    async def ready(self, model: str) -> bool:
        """See Inference."""
        try:
            reply = await self._stub.ModelReady(service_pb2.ModelReadyRequest(name=model), timeout=READY_SECONDS)
        except grpc.aio.AioRpcError:
            return False
        return bool(reply.ready)

    async def close(self) -> None:
        """See Inference."""
        await self._channel.close()


def _tensor(model: str, name: str, value: Tensor) -> service_pb2.ModelInferRequest.InferInputTensor:
    datatype = NAMES.get(value.dtype)
    if datatype is None:
        raise UpstreamError(f"model {model}: input {name} is of type {value.dtype}, which Triton does not take")
    return _Request.InferInputTensor(name=name, datatype=datatype, shape=value.shape)


def _error(model: str, error: grpc.aio.AioRpcError) -> SalamError:
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return Timeout(f"model {model} did not answer in time")
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        return UpstreamError(f"model {model}: Triton cannot be reached")
    return UpstreamError(f"model {model}: {error.details()}")
