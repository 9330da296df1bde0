"""The encoder as an ONNX graph, opset 17. The table is int8: its scale vanishes when the pooled vector is normalised."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from training.encoder import Bag, Encoder

OPSET = 17
_IR_VERSION = 8


class Graph:
    """A graph under construction, with the input `ids`: int32, (n, width), 0 for padding."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []

    def constant(self, value: NDArray[np.generic]) -> str:
        """Adds a constant."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, operator: str, *inputs: str, name: str = "", **attributes: object) -> str:
        """Adds an operator with one output and returns the output's name."""
        output = name or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def linear(self, inputs: str, layer: nn.Linear, *, scale: float = 1.0, name: str = "") -> str:
        """A linear layer, its result times `scale`."""
        weight, bias = _array(layer.weight) * scale, _array(layer.bias) * scale
        return self.add("Gemm", inputs, self.constant(weight), self.constant(bias), name=name, transB=1)

    def unit(self, vectors: str, name: str = "") -> str:
        """Vectors at unit length; those of length zero stay zero."""
        length = self.add("ReduceL2", vectors, axes=[1], keepdims=1)
        return self.add("Div", vectors, self.add("Max", length, self.constant(np.float32([1e-6]))), name=name)

    def pool(self, bag: Bag) -> str:
        """The bag: (n, size)."""
        table = _array(bag.table)
        quantised = np.rint(table * (127 / np.abs(table).max())).astype(np.int8)
        quantised[0] = 0  # padding
        rows = self.add("Cast", self.add("Gather", self.constant(quantised), "ids"), to=TensorProto.FLOAT)
        total = self.add("ReduceSum", rows, self.constant(np.int64([1])), keepdims=0)
        return self.add("Mul", self.unit(total), self.constant(np.float32([bag.size**0.5])))

    def encode(self, encoder: Encoder) -> str:
        """The encoder: (n, size)."""
        pooled = self.pool(encoder.bag)
        inner = self.add("Relu", self.linear(pooled, encoder.inner))
        return self.add("Add", pooled, self.linear(inner, encoder.outer))

    def output(self, name: str, size: int) -> None:
        """Declares (n, size) floats as an output."""
        self.outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size]))

    def save(self, folder: Path) -> Path:
        """Checks the graph and writes it to `<folder>/1/model.onnx`."""
        ids = helper.make_tensor_value_info("ids", TensorProto.INT32, ["n", "width"])
        graph = helper.make_graph(self.nodes, folder.name, [ids], self.outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR_VERSION)
        onnx.checker.check_model(model, full_check=True)
        file = folder / "1" / "model.onnx"
        file.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model, file)
        return file


def _array(parameter: Tensor) -> NDArray[np.float32]:
    return parameter.detach().numpy().astype(np.float32)


def write_config(folder: Path, outputs: dict[str, int]) -> None:
    """Writes the model's configuration for Triton: input `ids`, outputs by name and size."""
    tensors = ",\n".join(
        f'  {{ name: "{name}" data_type: TYPE_FP32 dims: [ {size} ] }}' for name, size in outputs.items()
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
