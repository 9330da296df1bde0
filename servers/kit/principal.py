"""Who is calling: what a checked credential says."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Final

from salambot.common.v1 import options_pb2

_NO_SCOPE: Final = options_pb2.SCOPE_UNSPECIFIED


@dataclass(frozen=True, slots=True)
class Principal:
    """A checked credential: the tenant it belongs to, the scopes it holds, the locale the tenant speaks by default, the
    requests a minute the tenant settled for its keys (None: the installation's limit).

    `internal` is true for calls between components, which were counted and checked at the edge already.
    """

    tenant: str
    key_id: str
    scopes: AbstractSet[int]
    locale: str = "fr-MA"
    rate_limit: int | None = None
    internal: bool = False

    def holds(self, scope: int) -> bool:
        """Whether an RPC that asks for `scope` may be called."""
        return scope == _NO_SCOPE or scope in self.scopes

    def trusted(self) -> Principal:
        """The same principal, for a call that a component makes on its behalf."""
        return self if self.internal else replace(self, internal=True)
