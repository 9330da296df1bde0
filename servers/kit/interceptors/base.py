"""The shape of an interceptor."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import ClassVar

from google.protobuf.message import Message

from servers.kit.call import Call


class Interceptor:
    """One thing done around every RPC.

    An interceptor overrides what it needs: `around` wraps the whole call whatever its shape, `on_call` may refuse it
    before any message is read, `on_request` sees each message that comes in, `on_response` each that goes out. The
    chain calls only what is overridden.
    """

    contract_only: ClassVar[bool] = True
    """False also wraps RPCs that carry no envelope: health and reflection."""

    def around(self, call: Call) -> AbstractAsyncContextManager[None]:
        """Wraps the call: entered before its handler, left after its last message; may change its error, not hide it."""
        raise NotImplementedError

    async def on_call(self, call: Call) -> None:
        """Looks at the call before its first message."""
        raise NotImplementedError

    def on_request(self, call: Call, message: Message) -> None:
        """Sees a message that comes in, before the handler does."""
        raise NotImplementedError

    def on_response(self, call: Call, message: Message) -> None:
        """Sees a message that goes out."""
        raise NotImplementedError
