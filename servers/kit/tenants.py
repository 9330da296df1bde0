"""Tenants and their API keys: who may call, and what each tenant settled for itself."""

from __future__ import annotations

import hmac
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from servers.kit.credentials import INTERNAL_PREFIX, Signer, digest_of, new_key, refuse, split_key
from servers.kit.errors import NotFound
from servers.kit.postgres import Postgres
from servers.kit.principal import Principal

T = TypeVar("T")

KEPT_S = 15.0
"""How long a process trusts what it knows of a key or tenant, in seconds: the longest a revoked key still works."""
_MOST_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant: its name for people, its default locale, its settings (policies) by name."""

    tenant: str
    name: str
    locale: str
    settings: Mapping[str, Any]


class Tenants:
    """Knows tenants and checks credentials; answers are kept in process for a few seconds."""

    def __init__(self, postgres: Postgres, signer: Signer) -> None:
        self._postgres = postgres
        self._signer = signer
        self._keys: _Kept[tuple[bytes, Principal]] = _Kept()
        self._tenants: _Kept[Tenant] = _Kept()

    async def authenticate(self, token: str) -> Principal:
        """The principal of an API key, or of a component's signed word; raises Unauthorized."""
        if token.startswith(INTERNAL_PREFIX):
            return self._signer.check(token)
        key_id, secret = split_key(token)
        known = self._keys.get(key_id)
        if known is None:
            known = await self._find_key(key_id)
            self._keys.put(key_id, known)
        digest, principal = known
        if not hmac.compare_digest(digest, digest_of(secret)):
            raise refuse()
        return principal

    async def _find_key(self, key_id: str) -> tuple[bytes, Principal]:
        async with self._postgres.system() as connection:
            row = await connection.fetchrow("SELECT * FROM salam_find_key($1)", key_id)
        if row is None:
            raise refuse()
        principal = Principal(row["tenant"], key_id, frozenset(row["scopes"]), row["locale"], row["rate_limit"])
        return row["digest"], principal

    async def get(self, tenant: str) -> Tenant:
        """The tenant; raises NotFound."""
        known = self._tenants.get(tenant)
        if known is None:
            async with self._postgres.tenant(tenant) as connection:
                row = await connection.fetchrow("SELECT tenant, name, locale, settings FROM tenants")
            if row is None:
                raise NotFound(f"there is no tenant {tenant}")
            known = Tenant(**row)
            self._tenants.put(tenant, known)
        return known

    async def put(self, tenant: str, *, name: str, locale: str, settings: Mapping[str, Any]) -> None:
        """Creates the tenant, or changes it."""
        async with self._postgres.tenant(tenant) as connection:
            await connection.execute(
                "INSERT INTO tenants (tenant, name, locale, settings) VALUES ($1, $2, $3, $4) "
                "ON CONFLICT (tenant) DO UPDATE SET name = $2, locale = $3, settings = $4",
                tenant, name, locale, dict(settings),
            )  # fmt: skip
        self._tenants.forget(tenant)

    async def create_key(
        self, tenant: str, *, name: str, scopes: Iterable[int], expires_at: datetime | None = None
    ) -> str:
        """Makes an API key and returns it: it is not kept and cannot be shown again."""
        key = new_key()
        async with self._postgres.tenant(tenant) as connection:
            await connection.execute(
                "INSERT INTO api_keys (id, name, digest, scopes, expires_at) VALUES ($1, $2, $3, $4, $5)",
                key.key_id, name, key.digest, sorted(scopes), expires_at,
            )  # fmt: skip
        return key.token

    async def revoke_key(self, tenant: str, key_id: str) -> bool:
        """Revokes a key; false when the tenant has no such key, or it was revoked already."""
        async with self._postgres.tenant(tenant) as connection:
            done = await connection.execute(
                "UPDATE api_keys SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL", key_id
            )
        self._keys.forget(key_id)
        return bool(done == "UPDATE 1")

    async def all(self) -> list[str]:
        """Every tenant of the installation: for jobs that go through them one by one."""
        async with self._postgres.system() as connection:
            return [row[0] for row in await connection.fetch("SELECT * FROM salam_all_tenants()")]

    async def allowed_origins(self, tenant: str) -> frozenset[str]:
        """Web origins from which browsers may call for this tenant."""
        return frozenset((await self.get(tenant)).settings.get("allowed_origins", ()))

    async def origin_allowed(self, origin: str) -> bool:
        """Whether any tenant allows this web origin: all a preflight can be told, which carries no credential."""
        async with self._postgres.system() as connection:
            return bool(
                await connection.fetchval("SELECT salam_origin_allowed($1) OR salam_origin_allowed('*')", origin)
            )


class _Kept(Generic[T]):
    """Values kept for KEPT_S seconds; emptied when full, which bounds what strangers can make a process hold."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[float, T]] = {}

    def get(self, key: str) -> T | None:
        """The value, or None when it is not known or too old."""
        found = self._values.get(key)
        return found[1] if found is not None and found[0] > time.monotonic() else None

    def put(self, key: str, value: T) -> None:
        """Keeps a value."""
        if len(self._values) >= _MOST_KEPT:
            self._values.clear()
        self._values[key] = (time.monotonic() + KEPT_S, value)

    def forget(self, key: str) -> None:
        """Drops a value."""
        self._values.pop(key, None)
