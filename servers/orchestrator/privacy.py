"""Personal data on its way to the store: masked by the tenant's policy before the first write."""

from __future__ import annotations

import hashlib

from salambot.orchestrator.v1 import orchestrator_pb2

from servers.kit.tenants import Tenants
from servers.kit.text.masking import Policy, mask


class Privacy:
    """Masks texts and hides customers behind keyed hashes; `secret` is the installation's."""

    def __init__(self, tenants: Tenants, secret: bytes) -> None:
        self._tenants = tenants
        self._secret = secret

    def pseudonym(self, tenant: str, user_id: str) -> bytes:
        """The same 16 bytes for the same customer of the same tenant; without the secret nobody can go back."""
        key = hashlib.sha256(self._secret).digest()
        return hashlib.blake2b(f"{tenant}\0{user_id}".encode(), digest_size=16, key=key).digest()

    async def masked(self, tenant: str, reply: orchestrator_pb2.Reply) -> orchestrator_pb2.Reply:
        """The reply as it may be stored."""
        policy = Policy((await self._tenants.get(tenant)).settings.get("masking", Policy.MASK))
        stored = orchestrator_pb2.Reply()
        stored.CopyFrom(reply)
        key = self.pseudonym(tenant, "masking")
        stored.reply_text = mask(reply.reply_text, policy, key=key)
        for entity in stored.entities:
            entity.value = mask(entity.value, policy, key=key)
        return stored
