"""The encoder and its heads as one ONNX graph, opset 17.

The table is int8: its scale vanishes when the pooled vector is normalised.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from training.encoder import SIZE, Encoder

OPSET = 17
_IR_VERSION = 8


class Graph:
    """A graph under construction, with the input `ids`: int32, (n, width), 0 for padding."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.sizes: dict[str, int] = {}

    def constant(self, value: NDArray[np.generic]) -> str:
        """Adds a constant."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def weight(self, value: NDArray[np.float32]) -> str:
        """Adds a constant that is stored in half precision."""
        return self.add("Cast", self.constant(value.astype(np.float16)), to=TensorProto.FLOAT)

    def add(self, operator: str, *inputs: str, name: str = "", **attributes: object) -> str:
        """Adds an operator with one output and returns the output's name."""
        output = name or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def linear(self, inputs: str, layer: nn.Linear, *, scale: float = 1.0) -> str:
        """A linear layer, its result times `scale`."""
        factors = [inputs, self.weight(_array(layer.weight) * scale)]
        if layer.bias is not None:
            factors.append(self.constant(_array(layer.bias) * scale))
        return self.add("Gemm", *factors, transB=1)

    def scaled(self, vectors: str, factor: float) -> str:
        """Vectors times a factor."""
        return self.add("Mul", vectors, self.constant(np.float32([factor])))

    def unit(self, vectors: str, name: str = "") -> str:
        """Vectors at unit length; those of length zero stay zero."""
        length = self.add("ReduceL2", vectors, axes=[1], keepdims=1)
        return self.add("Div", vectors, self.add("Max", length, self.constant(np.float32([1e-6]))), name=name)

    def encode(self, encoder: Encoder) -> tuple[str, str]:
        """The encoder: the pooled rows, and the vectors of meaning."""
        table = _array(encoder.table)
        quantised = np.rint(table * (127 / np.abs(table).max())).astype(np.int8)
        quantised[0] = 0  # padding, and features without a row
        rows = self.add("Gather", self.constant(quantised), self.add("Gather", self.constant(encoder.rows), "ids"))
        total = self.add(
            "ReduceSum", self.add("Cast", rows, to=TensorProto.FLOAT), self.constant(np.int64([1])), keepdims=0
        )
        pooled = self.scaled(self.unit(total), SIZE**0.5)
        inner = self.add("Relu", self.linear(pooled, encoder.inner))
        return pooled, self.unit(
            self.add("Add", self.linear(pooled, encoder.direct), self.linear(inner, encoder.outer))
        )

    def output(self, name: str, size: int, tensor: str) -> None:
        """Gives a tensor, (n, size) floats, out under a name."""
        self.add("Identity", tensor, name=name)
        self.sizes[name] = size

    def save(self, folder: Path) -> Path:
        """Checks the graph and writes it to `<folder>/1/model.onnx`, and its configuration for Triton beside it."""
        ids = helper.make_tensor_value_info("ids", TensorProto.INT32, ["n", "width"])
        outputs = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size]) for name, size in self.sizes.items()
        ]
        graph = helper.make_graph(self.nodes, folder.name, [ids], outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR_VERSION)
        onnx.checker.check_model(model, full_check=True)
        file = folder / "1" / "model.onnx"
        file.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model, file)
        tensors = ",\n".join(
            f'  {{ name: "{name}" data_type: TYPE_FP32 dims: [ {size} ] }}' for name, size in self.sizes.items()
        )
        (folder / "config.pbtxt").write_text(
            'backend: "onnxruntime"\n'
            "max_batch_size: 64\n"
            'input [ { name: "ids" data_type: TYPE_INT32 dims: [ -1 ] } ]\n'
            f"output [\n{tensors}\n]\n"
            "dynamic_batching { }\n"
            "instance_group [ { kind: KIND_AUTO } ]\n"
            'parameters { key: "intra_op_thread_count" value { string_value: "1" } }\n'
        )
        return file


def _array(parameter: Tensor) -> NDArray[np.float32]:
    return parameter.detach().numpy().astype(np.float32)
