"""Triton's `vllm` backend. Source: triton-inference-server/vllm_backend, its inputs and docs/additional_outputs.md."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from salambot.llm.v1 import chat_pb2

from servers.llm.adapters.triton_text import Inputs, TritonText

_OPTIONS = ("temperature", "top_p", "seed", "presence_penalty", "frequency_penalty")
_TOLD = ("return_finish_reason", "return_num_input_tokens", "return_num_output_tokens", "return_cumulative_logprob")


class TritonVllm(TritonText):
    """See TritonText. Counts and reasons come from servers of 24.12 and later; before, they are counted here."""

    def sampling(self, data: chat_pb2.ChatInput, limit: int, stops: Sequence[str]) -> Inputs:
        """See TritonText."""
        options = {name: getattr(data, name) for name in _OPTIONS if data.HasField(name)}  # type: ignore[arg-type]
        parameters = orjson.dumps({"max_tokens": limit, **({"stop": stops} if stops else {}), **options}).decode()
        told = {name: [True] for name in _TOLD}
        return {"sampling_parameters": [parameters], "exclude_input_in_output": [True], **told}
