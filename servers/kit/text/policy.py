"""What each tenant wants done with the personal data of its customers."""

from __future__ import annotations

from typing import NamedTuple

import structlog

from servers.kit.errors import SalamError
from servers.kit.tenants import Tenants
from servers.kit.text.masking import Policy, masking_key

log = structlog.get_logger(__name__)


class Masking(NamedTuple):
    """A policy, the secret that hashes are made with, and whether names of persons are masked as well."""

    policy: Policy = Policy.MASK
    key: bytes = b""
    names: bool = True


MASK_ALL = Masking()


class Policies:
    """Finds the masking policy of a tenant, its settings `masking` and `mask_names`; `secret` is the installation's."""

    def __init__(self, tenants: Tenants, secret: bytes) -> None:
        self._tenants = tenants
        self._secret = secret

    async def of(self, tenant: str) -> Masking:
        """The tenant's policy. When it cannot be known, everything is masked: the message is read all the same."""
        try:
            settings = (await self._tenants.get(tenant)).settings
            policy = Policy(settings.get("masking", Policy.MASK))
        except (SalamError, ValueError) as error:
            log.warning("masking policy unknown, everything is masked", tenant=tenant, problem=str(error))
            return MASK_ALL
        return Masking(policy, masking_key(self._secret, tenant), settings.get("mask_names") is not False)
