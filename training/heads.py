"""One head over the encoder: small networks whose logits are averaged and, where the task has them, weights of features."""

from __future__ import annotations

import numpy as np
import torch
from onnx import TensorProto
from torch import Tensor, nn
from torch.nn import functional

from servers.kit.text.features import SPACE
from training.encoder import MEANING, SIZE
from training.onnx_graph import Graph

DROPOUT = 0.5


class Head(nn.Module):
    """Logits of one task's labels; `temperature` divides them once trained.

    Each of the `networks` learns for itself, and their logits are averaged: what one of them made of its beginnings
    weighs less. Side by side they are one network, so that serving knows nothing of it. `wide` is a weight of each feature
    for each label, (SPACE + 1, labels); a text's are added up and divided by the square root of their number.
    """

    def __init__(self, labels: int, *, hidden: int, networks: int = 1, wide: bool = False) -> None:
        super().__init__()
        self.inner = nn.Linear(SIZE + MEANING, hidden * networks)
        self.outer = nn.Linear(hidden * networks, labels)
        self.wide = nn.Parameter(torch.zeros(SPACE + 1, labels)) if wide else None
        self.networks = networks
        self.temperature = 1.0

    def each(self, inputs: Tensor, ids: Tensor, offsets: Tensor) -> Tensor:
        """Logits of each network, (n, networks, labels), before the temperature.

        `inputs` are what the encoder made of the bags that begin at `offsets` of the flat `ids`.
        """
        hidden = functional.dropout(functional.relu(self.inner(inputs)), DROPOUT, self.training)
        split, outer = (values.unflatten(1, (self.networks, -1)) for values in (hidden, self.outer.weight))
        logits = torch.einsum("nkh,lkh->nkl", split, outer)
        logits = logits + self.outer.bias
        if self.wide is not None:
            sizes = torch.diff(offsets, append=torch.tensor([len(ids)]))
            weighed = functional.embedding_bag(ids, self.wide, offsets, mode="sum")
            logits = logits + (weighed / sizes.clamp(min=1).sqrt()[:, None])[:, None]
        return logits

    def forward(self, inputs: Tensor, ids: Tensor, offsets: Tensor) -> Tensor:
        """Logits: (n, labels)."""
        return self.each(inputs, ids, offsets).mean(1) / self.temperature

    def write(self, graph: Graph, inputs: str) -> str:
        """Adds the head to a graph that has the input `ids`; returns the name of the logits."""
        averaged = nn.Linear(self.outer.in_features, self.outer.out_features)
        averaged.weight.data, averaged.bias.data = self.outer.weight.data / self.networks, self.outer.bias.data
        inner = graph.add("Relu", graph.linear(inputs, self.inner))
        logits = graph.linear(inner, averaged, scale=1 / self.temperature)
        return logits if self.wide is None else graph.add("Add", logits, self._write_wide(graph, self.wide))

    def _write_wide(self, graph: Graph, wide: Tensor) -> str:
        weights = wide.detach().numpy()
        unit = float(np.abs(weights).max() / 127) or 1.0
        rows = graph.add("Gather", graph.constant(np.rint(weights / unit).astype(np.int8)), "ids")
        axis = graph.constant(np.int64([1]))
        total = graph.add("ReduceSum", graph.add("Cast", rows, to=TensorProto.FLOAT), axis, keepdims=0)
        present = graph.add("Cast", graph.add("Sign", "ids"), to=TensorProto.FLOAT)
        size = graph.add("ReduceSum", present, axis, keepdims=1)
        length = graph.add("Sqrt", graph.add("Max", size, graph.constant(np.float32([1.0]))))
        return graph.scaled(graph.add("Div", total, length), unit / self.temperature)
