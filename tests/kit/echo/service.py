"""The servicer: what it does is set by each test, as functions in the place of its RPCs."""

from __future__ import annotations

import asyncio
from typing import Any

from servers.kit.call import Call, current


class EchoService:
    """Says everything again. `calls` are the calls it served, `ended` the names of those whose handler was left."""

    def __init__(self, pb: Any, base: Any) -> None:
        self.pb = pb
        self.calls: list[Call] = []
        self.ended: asyncio.Queue[str] = asyncio.Queue()
        self.Unbuilt = base.Unbuilt
        self.UnbuiltStream = base.UnbuiltStream

    def reply(self, text: str) -> Any:
        """A reply without an envelope."""
        return self.pb.EchoResponse(data=self.pb.EchoOutput(text=text))

    async def Echo(self, request: Any, context: Any) -> Any:
        self.calls.append(current())
        try:
            return await self.answer(request)
        finally:
            self.ended.put_nowait("Echo")

    Administer = Get = Hurry = Echo

    async def Repeat(self, request: Any, context: Any) -> Any:
        self.calls.append(current())
        try:
            async for reply in self.answers(request):
                yield reply
        finally:
            self.ended.put_nowait("Repeat")

    HurryRepeat = Repeat

    async def Collect(self, requests: Any, context: Any) -> Any:
        texts = [request.data.text async for request in requests]
        self.calls.append(current())
        return self.reply(" ".join(texts))

    async def Converse(self, requests: Any, context: Any) -> Any:
        self.calls.append(current())
        try:
            async for request in requests:
                yield self.reply(request.data.text.upper())
        finally:
            self.ended.put_nowait("Converse")

    async def answer(self, request: Any) -> Any:
        """What the unary RPCs do."""
        return self.reply(request.data.text)

    async def answers(self, request: Any) -> Any:
        """What the streaming RPCs do."""
        for number in range(request.data.times):
            yield self.reply(f"{request.data.text} {number}")
