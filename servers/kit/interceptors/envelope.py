"""Completes and checks the envelope of each message that comes in, and gives each reply its own."""

from __future__ import annotations

from typing import cast

from google.protobuf.message import Message

from servers.kit.call import Call
from servers.kit.envelope import Envelope, complete, reply_to
from servers.kit.errors import InvalidInput, PermissionDenied, Violation
from servers.kit.interceptors.base import Interceptor


class EnvelopeCheck(Interceptor):
    """The tenant comes from the credential and the envelope must agree.

    The first envelope of a stream is that of the call; a later message may leave its own out.
    """

    def on_request(self, call: Call, message: Message) -> None:
        if call.envelope is not None and not message.HasField("envelope"):
            message.envelope.CopyFrom(call.envelope)  # type: ignore[attr-defined]
            return
        envelope = cast(Envelope, message.envelope)  # type: ignore[attr-defined]
        if call.principal is None:
            raise PermissionDenied("the call has no credential")
        if not envelope.tenant:
            if not call.method.bodiless:
                raise InvalidInput(
                    "the envelope names no tenant", violations=[Violation("envelope.tenant", "is required")]
                )
            envelope.tenant = call.principal.tenant
        if envelope.tenant != call.principal.tenant:
            raise PermissionDenied("this key does not belong to the tenant that the envelope names")
        complete(envelope, locale=call.principal.locale)
        if call.envelope is None:
            call.envelope = envelope

    def on_response(self, call: Call, message: Message) -> None:
        if call.envelope is not None:
            reply_to(call.envelope, message.envelope)  # type: ignore[attr-defined]
