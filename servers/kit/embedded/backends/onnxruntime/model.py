"""A Triton backend named `onnxruntime`, in Python: serves `<model>/<version>/model.onnx` as its config.pbtxt says.

Triton imports this file into a process of its own for each model instance, from the virtual environment of the
embedded Triton: it uses numpy, onnxruntime and Triton's module alone. NVIDIA's container serves the same model
repository with its C++ backend of this name, whose parameters `intra_op_thread_count` and `inter_op_thread_count` are
read here too. Numeric tensors only.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import triton_python_backend_utils as pb_utils  # type: ignore[import-not-found]  # Triton brings it

Feed = dict[str, Any]  # numpy arrays by the names of the inputs

DEFAULT_THREADS = 2  # more than two threads only fight each other on a small machine that runs everything


class TritonPythonModel:
    """One instance of one model."""

    def initialize(self, args: dict[str, str]) -> None:
        """Opens the model. Raises TritonModelException when it does not fit its configuration."""
        config = json.loads(args["model_config"])
        self.batched = config["max_batch_size"] > 0
        self.inputs = [tensor["name"] for tensor in config["input"]]
        self.outputs = {
            tensor["name"]: pb_utils.triton_string_to_numpy(tensor["data_type"]) for tensor in config["output"]
        }
        file = config.get("default_model_filename") or "model.onnx"
        path = Path(args["model_repository"], args["model_version"], file)
        try:
            self.session = onnxruntime.InferenceSession(str(path), session_options(config), ["CPUExecutionProvider"])
        except Exception as error:
            raise pb_utils.TritonModelException(f"cannot open {path}: {error}") from error
        check_names(path, "input", self.inputs, [tensor.name for tensor in self.session.get_inputs()])
        check_names(path, "output", list(self.outputs), [tensor.name for tensor in self.session.get_outputs()])

    def execute(self, requests: list[Any]) -> list[Any]:
        """One response a request. Those of a batch have the same shapes, save for the first axis, and run at once."""
        feeds = [self.feed(request) for request in requests]
        if self.batched and len(requests) > 1:
            try:
                return self.run_batch(requests, feeds)
            except Exception:  # one request of the batch is at fault: each alone, so that the others are served
                return [self.run_one(request, feed) for request, feed in zip(requests, feeds, strict=True)]
        return [self.run_one(request, feed) for request, feed in zip(requests, feeds, strict=True)]

    def feed(self, request: Any) -> Feed:
        """The inputs of a request by name, without a copy."""
        return {name: pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in self.inputs}

    def run_batch(self, requests: Sequence[Any], feeds: Sequence[Feed]) -> list[Any]:
        """Responses of requests that are concatenated, run once, and split again."""
        sizes = [len(feed[self.inputs[0]]) for feed in feeds]
        joined = {name: np.concatenate([feed[name] for feed in feeds]) for name in self.inputs}
        wanted = self.wanted(requests)
        results = self.session.run(wanted, joined)
        ends = np.cumsum(sizes)
        for name, result in zip(wanted, results, strict=True):
            if len(result) != ends[-1]:
                raise ValueError(f"output {name} has {len(result)} rows for a batch of {ends[-1]}")
        return [
            self.response(request, wanted, [result[end - size : end] for result in results])
            for request, size, end in zip(requests, sizes, ends, strict=True)
        ]

    def run_one(self, request: Any, feed: Feed) -> Any:
        """The response of one request, or its error."""
        try:
            wanted = self.wanted([request])
            return self.response(request, wanted, self.session.run(wanted, feed))
        except Exception as error:
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(error)))

    def wanted(self, requests: Sequence[Any]) -> list[str]:
        """Names of the outputs that any of the requests asks for."""
        names: set[str] = set().union(*(request.requested_output_names() for request in requests))
        return [name for name in self.outputs if name in names]

    def response(self, request: Any, names: Sequence[str], results: Sequence[Any]) -> Any:
        """The response to `request` out of the outputs `names`."""
        requested = set(request.requested_output_names())
        return pb_utils.InferenceResponse(
            [
                pb_utils.Tensor(name, np.ascontiguousarray(result, dtype=self.outputs[name]))
                for name, result in zip(names, results, strict=True)
                if name in requested
            ]
        )


def session_options(config: dict[str, Any]) -> onnxruntime.SessionOptions:
    """Options of ONNX Runtime from the `parameters` of the configuration."""
    parameters = {name: value["string_value"] for name, value in config.get("parameters", {}).items()}
    threads = min(DEFAULT_THREADS, os.cpu_count() or 1)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(parameters.get("intra_op_thread_count", threads))
    options.inter_op_num_threads = int(parameters.get("inter_op_thread_count", 1))
    # A thread that spins while it waits takes the core from Triton and from everything beside it.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options


def check_names(path: Path, kind: str, configured: Sequence[str], actual: Sequence[str]) -> None:
    """Fails when the configuration names a tensor that the model does not have."""
    unknown = sorted(set(configured) - set(actual))
    if unknown:
        raise pb_utils.TritonModelException(f"{path} has no {kind} {', '.join(unknown)}: it has {', '.join(actual)}")
