"""Inference by ONNX Runtime in this process, where no Triton can run: the same model repository, the same rules.

There is no dynamic batching: on the machines this is for, a thread a request is as fast.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from servers.kit.errors import Timeout, UpstreamError
from servers.kit.inference.deadline import seconds_left
from servers.kit.inference.interfaces import Tensor
from servers.kit.inference.triton import DTYPES

THREADS = 2


class OnnxInference:
    """The models of a repository, loaded."""

    def __init__(self, models: Mapping[str, _Model], pool: ThreadPoolExecutor) -> None:
        self._models = dict(models)
        self._pool = pool

    @classmethod
    async def open(cls, repository: Path) -> OnnxInference:
        """Loads the models of `repository`. Raises UpstreamError naming the model that cannot be loaded."""
        pool = ThreadPoolExecutor(THREADS, thread_name_prefix="onnx")
        try:
            return cls(await asyncio.get_running_loop().run_in_executor(pool, _load, repository), pool)
        except BaseException:
            pool.shutdown(wait=False)
            raise

    async def infer(self, model: str, inputs: Mapping[str, Tensor], outputs: Sequence[str]) -> dict[str, Tensor]:
        """See Inference. A run whose time is up is stopped between two operators."""
        loaded = self._models.get(model)
        if loaded is None:
            raise UpstreamError(f"model {model} is not in the repository")
        loaded.check(inputs, outputs)
        options = onnxruntime.RunOptions()
        run = asyncio.get_running_loop().run_in_executor(self._pool, loaded.run, inputs, outputs, options)
        try:
            return await asyncio.wait_for(run, seconds_left())
        except TimeoutError:
            raise Timeout(f"model {model} did not answer in time") from None
        finally:
            options.terminate = True

    async def ready(self, model: str) -> bool:
        """See Inference."""
        return model in self._models

    async def close(self) -> None:
        """See Inference."""
        self._models.clear()
        await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)


class _Model:
    """One session and what its configuration says of it."""

    def __init__(self, config: Any, session: onnxruntime.InferenceSession) -> None:
        self._name = config.name
        self._session = session
        self._max_batch = config.max_batch_size
        self._inputs = {tensor.name: (_dtype(tensor), _dims(config, tensor)) for tensor in config.input}
        self._outputs = {tensor.name: _dtype(tensor) for tensor in config.output}

    def check(self, inputs: Mapping[str, Tensor], outputs: Sequence[str]) -> None:
        """Refuses what Triton refuses: names, types, shapes and batches that the configuration does not allow."""
        if inputs.keys() != self._inputs.keys():
            raise self._refusal(f"takes the inputs {', '.join(self._inputs)}, not {', '.join(inputs)}")
        if unknown := [name for name in outputs if name not in self._outputs]:
            raise self._refusal(f"has no output {', '.join(unknown)}")
        for name, value in inputs.items():
            dtype, dims = self._inputs[name]
            if value.dtype != dtype:
                raise self._refusal(f"takes {dtype} for input {name}, not {value.dtype}")
            fits = value.ndim == len(dims) and all(
                dim in (-1, size) for dim, size in zip(dims, value.shape, strict=True)
            )
            if not fits:
                raise self._refusal(f"takes the shape {dims} for input {name}, not {list(value.shape)}")
        if self._max_batch:
            batches = {len(value) for value in inputs.values()}
            if len(batches) > 1 or not 1 <= max(batches) <= self._max_batch:
                raise self._refusal(f"takes one batch of 1 to {self._max_batch} for all inputs, not {sorted(batches)}")

    def run(
        self, inputs: Mapping[str, Tensor], outputs: Sequence[str], options: onnxruntime.RunOptions
    ) -> dict[str, Tensor]:
        """Runs the session, in a thread of the pool."""
        try:
            results = self._session.run(list(outputs), dict(inputs), options)
        except Exception as error:  # ONNX Runtime's exceptions have no base of their own
            raise self._refusal(str(error)) from error
        return {name: np.asarray(result, self._outputs[name]) for name, result in zip(outputs, results, strict=True)}

    def _refusal(self, message: str) -> UpstreamError:
        return UpstreamError(f"model {self._name}: {message}")


def _load(repository: Path) -> dict[str, _Model]:
    models = {}
    for path in sorted(repository.glob("*/config.pbtxt")):
        name = path.parent.name
        try:
            config = text_format.Parse(path.read_text(), model_config_pb2.ModelConfig(name=name))
            models[name] = _Model(config, _session(path.parent, config))
        except Exception as error:  # ONNX Runtime's exceptions have no base of their own
            raise UpstreamError(f"model {name} cannot be loaded: {error}") from error
    return models


def _session(folder: Path, config: Any) -> onnxruntime.InferenceSession:
    """A session over the newest version, with the thread settings that Triton's `onnxruntime` backend reads."""
    version = max((path for path in folder.iterdir() if path.name.isdigit()), key=lambda path: int(path.name))
    options = onnxruntime.SessionOptions()
    threads = config.parameters["intra_op_thread_count"].string_value or min(THREADS, os.cpu_count() or 1)
    options.intra_op_num_threads = int(threads)
    options.inter_op_num_threads = 1
    # A thread that spins while it waits takes the core from everything beside it.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    file = version / (config.default_model_filename or "model.onnx")
    return onnxruntime.InferenceSession(str(file), options, ["CPUExecutionProvider"])


def _dtype(tensor: Any) -> np.dtype[Any]:
    name = model_config_pb2.DataType.Name(tensor.data_type).removeprefix("TYPE_")
    if name not in DTYPES:
        raise ValueError(f"{tensor.name} is of type {name}, which is not served")
    return np.dtype(DTYPES[name])


def _dims(config: Any, tensor: Any) -> list[int]:
    return [*([-1] if config.max_batch_size else []), *tensor.dims]
