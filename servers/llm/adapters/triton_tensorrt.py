"""TensorRT-LLM on Triton, its ensemble or BLS model. Source: triton-inference-server/tensorrtllm_backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from salambot.llm.v1 import chat_pb2

from servers.llm.adapters.triton_text import Inputs, TritonText

_OPTIONS = ("temperature", "top_p", "presence_penalty", "frequency_penalty")


class TritonTensorRT(TritonText):
    """See TritonText. The server tells no reasons and no counts of what was read."""

    def sampling(self, data: chat_pb2.ChatInput, limit: int, stops: Sequence[str]) -> Inputs:
        """See TritonText."""
        values: dict[str, Sequence[Any]] = {"max_tokens": [limit], "exclude_input_in_output": [True]}
        values |= {name: [getattr(data, name)] for name in _OPTIONS if data.HasField(name)}  # type: ignore[arg-type]
        if data.HasField("seed"):
            seed = data.seed % 2**63  # unsigned there
            values |= {"seed": [seed], "random_seed": [seed]}  # by the newer name and the older one
        if stops:
            values["stop_words"] = stops
        return values
