"""Reading in bulk: messages of a stream are read together as they come, and answered in their order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from typing import NamedTuple

from salambot.nlu.v1 import nlu_pb2, nlu_service_pb2

from servers.kit.errors import InvalidInput, Violation

Read = Callable[[Sequence[nlu_pb2.AnalyzeInput]], Awaitable[list[nlu_pb2.Analysis]]]

MOST_AT_ONCE = 64
"""Messages read together, the `max_batch_size` of the models; as many more may wait for their turn."""


class _End(NamedTuple):
    """The last that arrives: the stream is over, or broken by an error."""

    error: Exception | None


_Arrived = asyncio.Queue[nlu_pb2.AnalyzeInput | _End]


async def read_in_bulk(
    requests: AsyncIterator[nlu_service_pb2.AnalyzeStreamRequest], read: Read
) -> AsyncGenerator[nlu_service_pb2.AnalyzeStreamResponse]:
    """One reply for each request, in order. Nobody waits for company: what came while others were read goes together.

    At most twice MOST_AT_ONCE messages are held: when replies are not fetched, no more requests are. What breaks the
    stream is raised after the replies to all that came before it; an InvalidInput names the message by its index.
    """
    arrived: _Arrived = asyncio.Queue(MOST_AT_ONCE)
    receiving = asyncio.create_task(_receive(requests, arrived))
    try:
        while True:
            items = [await arrived.get()]
            while len(items) < MOST_AT_ONCE and not arrived.empty():
                items.append(arrived.get_nowait())
            messages = [item for item in items if not isinstance(item, _End)]
            for analysis in await read(messages) if messages else ():
                yield nlu_service_pb2.AnalyzeStreamResponse(data=analysis)
            if isinstance(end := items[-1], _End):
                if end.error is not None:
                    raise end.error
                return
    finally:
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)


async def _receive(requests: AsyncIterator[nlu_service_pb2.AnalyzeStreamRequest], arrived: _Arrived) -> None:
    """Passes on each message, then the end; waits while `arrived` is full."""
    index = 0
    error: Exception | None = None
    try:
        async for request in requests:
            await arrived.put(request.data)
            index += 1
    except InvalidInput as refusal:
        error = _at(index, refusal)
    except Exception as other:  # raised in its turn, whatever it is
        error = other
    await arrived.put(_End(error))


def _at(index: int, refusal: InvalidInput) -> InvalidInput:
    """The refusal of the message with this index, counted from 0."""
    violations = [Violation(f"[{index}].{field}", description) for field, description in refusal.violations]
    return InvalidInput(f"message {index}: {refusal.message}", violations=violations)
