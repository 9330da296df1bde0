"""Checks the credential of a call and the scope it asks for."""

from __future__ import annotations

from typing import Protocol

from salambot.common.v1 import options_pb2

from servers.kit.call import Call
from servers.kit.errors import PermissionDenied, Unauthorized
from servers.kit.interceptors.base import Interceptor
from servers.kit.principal import Principal

SCHEME = "bearer "


class Authenticator(Protocol):
    """Knows credentials."""

    async def authenticate(self, token: str) -> Principal:
        """The principal a token stands for; raises Unauthorized when it is unknown, revoked or expired."""
        ...


class Auth(Interceptor):
    """Gives the call its principal; a call from a component in this process brings it along."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    async def on_call(self, call: Call) -> None:
        """Raises Unauthorized or PermissionDenied."""
        if call.principal is None:
            header = call.metadata.get("authorization", "")
            if header[: len(SCHEME)].lower() != SCHEME:
                raise Unauthorized("send the tenant's API key as `Authorization: Bearer <key>`")
            call.principal = await self._authenticator.authenticate(header[len(SCHEME) :].strip())
        if not call.principal.holds(call.method.scope):
            scope = options_pb2.Scope.Name(call.method.scope).removeprefix("SCOPE_").lower()
            raise PermissionDenied(f"this key lacks the scope `{scope}` that {call.method.name} asks for")
