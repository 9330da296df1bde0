"""What stands behind each kind of backend in the tests, told what to answer in one way."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Protocol

from salambot.llm.v1 import chat_pb2

from servers.llm.adapters.openai import OpenAICompatible
from servers.llm.adapters.triton_tensorrt import TritonTensorRT
from servers.llm.adapters.triton_text import TritonText
from servers.llm.adapters.triton_vllm import TritonVllm
from servers.llm.backend import Backend, Conversation, Model, Traits
from tests.awaiting import until
from tests.llm.model_server import DONE, ModelServer, chunk

TRITON_MODELS = Path(__file__).parent / "triton_models"

Step = str | float
"""A text to say, or seconds to wait."""


def said(*texts: str) -> Conversation:
    """A conversation of these user messages."""
    data = chat_pb2.ChatInput(model="auto")
    for text in texts:
        data.messages.add(role=chat_pb2.CHAT_ROLE_USER).content.add(text=text)
    return Conversation(data)


class Upstream(Protocol):
    """A server and the backend before it."""

    backend: Backend

    def script(self, steps: Sequence[Step], *, fail: bool = False) -> Conversation:
        """A conversation whose answer is `steps`, and then an error with `fail`."""
        ...

    async def arrived(self) -> None:
        """Returns once the server is at work on the last script."""
        ...

    async def left(self) -> None:
        """Returns once the server has noticed that the caller of the last script went away."""
        ...


class OpenAIUpstream:
    """The server of each test's own."""

    def __init__(self, server: ModelServer) -> None:
        self._server = server
        self.backend = OpenAICompatible(Traits("openai"), server.url)

    def script(self, steps: Sequence[Step], *, fail: bool = False) -> Conversation:
        """See Upstream."""
        end = (ConnectionError,) if fail else (chunk(finish="stop"), DONE)
        self._server.steps = (*steps, *end)
        self._server.gone.clear()
        self._server.requests.clear()
        return said("Bonjour")

    async def arrived(self) -> None:
        """See Upstream."""
        await until(lambda: bool(self._server.requests))

    async def left(self) -> None:
        """See Upstream."""
        await asyncio.wait_for(self._server.gone.wait(), 5)


class TritonUpstream:
    """A scripted model in the embedded Triton; `inputs` is the file where it writes what it was given last."""

    def __init__(self, backend: TritonText, folder: Path) -> None:
        self.backend = backend
        self._folder = folder
        self._numbers = count()
        self._witness = self.inputs = folder

    def script(self, steps: Sequence[Step], *, fail: bool = False, **more: str) -> Conversation:
        """See Upstream."""
        number = next(self._numbers)
        self._witness, self.inputs = self._folder / f"left-{number}", self._folder / f"inputs-{number}"
        files = {"witness": str(self._witness), "inputs": str(self.inputs)}
        return said(json.dumps({"steps": steps, "fail": fail, **files, **more}))

    async def arrived(self) -> None:
        """See Upstream."""
        await until(self.inputs.exists)

    async def left(self) -> None:
        """See Upstream."""
        await until(self._witness.exists)


TRITON = {"vllm": TritonVllm, "ensemble": TritonTensorRT}


@asynccontextmanager
async def triton_upstream(name: str, url: str, folder: Path) -> AsyncIterator[TritonUpstream]:
    """The model `name` of the Triton at `url`."""
    backend = TRITON[name](Traits("triton"), url, [Model("small", served_as=name)])
    yield TritonUpstream(backend, folder)
    await backend.close()


def assemble(repository: Path) -> None:
    """Makes a Triton repository of the scripted models."""
    for name in TRITON:
        version = repository / name / "1"
        version.mkdir(parents=True)
        shutil.copy(TRITON_MODELS / "scripted.py", version / "model.py")
        config = (TRITON_MODELS / f"{name}.pbtxt").read_text()
        (repository / name / "config.pbtxt").write_text(f'name: "{name}"\n{config}')
