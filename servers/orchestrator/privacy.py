"""Personal data on its way to the store: masked by the tenant's policy before the first write."""

from __future__ import annotations

import hashlib

from salambot.orchestrator.v1 import orchestrator_pb2

from servers.kit.tenants import Tenants
from servers.kit.text.masking import mask, mask_value
from servers.kit.text.policy import Policies

EXTRACTIVE = "extractive"
"""`model_used` of a reply composed from the tenant's passages and texts."""


class Privacy:
    """Masks texts and hides customers behind keyed hashes; `secret` is the installation's."""

    def __init__(self, tenants: Tenants, secret: bytes) -> None:
        self._policies = Policies(tenants, secret)
        self._key = hashlib.sha256(secret).digest()

    def pseudonym(self, tenant: str, user_id: str) -> bytes:
        """The same 16 bytes for the same customer of the same tenant; without the secret nobody can go back."""
        return hashlib.blake2b(f"{tenant}\0{user_id}".encode(), digest_size=16, key=self._key).digest()

    async def masked(self, tenant: str, reply: orchestrator_pb2.Reply) -> orchestrator_pb2.Reply:
        """The reply as it may be stored.

        A text without a model's hand in it quotes the tenant's own words, whose telephone numbers are for everybody; a
        model may have repeated what the customer told it.
        """
        policy, key, names = await self._policies.of(tenant)
        stored = orchestrator_pb2.Reply()
        stored.CopyFrom(reply)
        if reply.model_used != EXTRACTIVE:
            stored.reply_text = mask(reply.reply_text, policy, key=key, names=names)
        for entity in stored.entities:
            if entity.personal:
                entity.value = mask_value(entity.type, entity.value, policy, key=key)
        return stored
