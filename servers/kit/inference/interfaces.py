"""The port of inference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

Tensor = NDArray[Any]  # numbers of any type


class Inference(Protocol):
    """Runs the models of a Triton model repository (`<model>/config.pbtxt`, `<model>/1/model.onnx`)."""

    async def infer(self, model: str, inputs: Mapping[str, Tensor], outputs: Sequence[str]) -> dict[str, Tensor]:
        """The `outputs` of `model` by name, read-only arrays of the types its configuration gives.

        Where the configuration has a `max_batch_size` above 0, the first axis of each input and output is the batch.
        Inputs must have the types of the configuration: nothing is converted. Waits as long as the current call may
        still take. Raises UpstreamError when the model is missing, refuses the inputs or fails, and when the server is
        down; Timeout when it takes too long.
        """
        ...

    async def ready(self, model: str) -> bool:
        """Whether `model` can be asked now. Never raises."""
        ...

    async def close(self) -> None:
        """Gives up connections, threads and models."""
        ...
