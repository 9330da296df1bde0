"""What each tenant wants done with the personal data of its customers."""

from __future__ import annotations

from typing import NamedTuple

import structlog

from servers.kit.errors import SalamError
from servers.kit.tenants import Tenants
from servers.kit.text.masking import Policy
from servers.nlu.settings import NLUSettings

log = structlog.get_logger(__name__)


class Masking(NamedTuple):
    """A policy, and the secret that hashes are made with."""

    policy: Policy = Policy.MASK
    key: bytes = b""


class Policies:
    """Finds the masking policy of a tenant: its setting `masking`, or else the installation's."""

    def __init__(self, tenants: Tenants, settings: NLUSettings) -> None:
        self._tenants = tenants
        self._default = settings.masking
        self._key = settings.masking_key.get_secret_value().encode() if settings.masking_key else b""

    async def of(self, tenant: str) -> Masking:
        """The tenant's policy. When it cannot be known, everything is masked: the message is read all the same."""
        try:
            name = (await self._tenants.get(tenant)).settings.get("masking", self._default)
            policy = Policy(name)
        except (SalamError, ValueError) as error:
            log.warning("masking policy unknown, everything is masked", tenant=tenant, problem=str(error))
            return Masking()
        if policy is Policy.HASH:
            return Masking(policy, f"{tenant}:".encode() + self._key) if self._key else Masking()
        return Masking(policy)
