"""A decoupled model for Triton's Python backend that does as its prompt says; in the tensors of vLLM and of TensorRT-LLM.

The last line of the prompt that is a JSON object is the script: `steps`, texts to say and seconds to wait, `fail` to end
with an error, `witness`, a file that is made when the request is cancelled, and `inputs`, one that all inputs are written to.
"""

import json
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    """Each request in a thread of its own."""

    def initialize(self, args: dict[str, str]) -> None:
        config = json.loads(args["model_config"])
        self.inputs = [tensor["name"] for tensor in config["input"]]
        self.outputs = {tensor["name"] for tensor in config["output"]}
        self.batched = config["max_batch_size"] > 0

    def execute(self, requests: list[Any]) -> None:
        for request in requests:
            given = {}
            for name in self.inputs:
                tensor = pb_utils.get_input_tensor_by_name(request, name)
                if tensor is not None:
                    items = tensor.as_numpy().flatten().tolist()
                    given[name] = [item.decode() if isinstance(item, bytes) else item for item in items]
            threading.Thread(target=self.answer, args=(given, request.get_response_sender())).start()

    def answer(self, given: dict[str, list[Any]], sender: Any) -> None:
        [prompt] = given["text_input"]
        script = json.loads([line for line in prompt.splitlines() if line.startswith("{")][-1])
        Path(script["inputs"]).write_text(json.dumps(given))
        said = 0
        for step in script["steps"]:
            if isinstance(step, str):
                said += 1
                sender.send(self.response(given, prompt, step))
            elif not self.wait(step, sender):
                Path(script["witness"]).touch()
                sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
                return
        if script.get("fail"):
            sender.send(pb_utils.InferenceResponse(error=pb_utils.TritonError("out of memory")))
        elif "finish_reason" in self.outputs:
            sender.send(self.response(given, prompt, "", script.get("reason", "stop")))
        sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)

    def wait(self, seconds: float, sender: Any) -> bool:
        """False when the request is cancelled meanwhile."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if sender.is_cancelled():
                return False
            time.sleep(0.002)
        return True

    def response(self, given: dict[str, list[Any]], prompt: str, text: str, reason: str = "") -> Any:
        values = {
            "text_output": np.array([text.encode()], np.object_),
            "finish_reason": np.array([reason.encode()], np.object_),
            "num_input_tokens": np.array([len(prompt.split())], np.uint32),
            "num_output_tokens": np.array([len(text.split())], np.uint32),
            "cumulative_logprob": np.array([-1.5], np.float32),
        }
        asked = {
            name.removeprefix("return_") for name, value in given.items() if name.startswith("return_") and value[0]
        }
        told = self.outputs & ({"text_output"} | asked)
        return pb_utils.InferenceResponse(
            [
                pb_utils.Tensor(name, values[name].reshape(1, -1) if self.batched else values[name])
                for name in sorted(told)
            ]
        )
