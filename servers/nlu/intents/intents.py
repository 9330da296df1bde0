"""All that a tenant's own intents need, opened together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from salambot.nlu.v1 import intents_pb2

from servers.kit.platform import Platform
from servers.nlu.intents.encoding import Encoder
from servers.nlu.intents.head import FORMAT, Head
from servers.nlu.intents.heads import TenantIntents
from servers.nlu.intents.report import report_on
from servers.nlu.intents.store import Store
from servers.nlu.intents.training import Training
from servers.nlu.intents.version import Version


@dataclass(frozen=True, slots=True)
class Intents:
    """The store, the trainings, and the heads in force."""

    store: Store
    encoder: Encoder
    training: Training
    heads: TenantIntents

    @classmethod
    def open(cls, platform: Platform, model_version: str) -> Intents:
        """Registers the job of training; `model_version` is that of the model whose vectors the heads read."""
        store = Store(platform.postgres)
        encoder = Encoder(platform.inference, f"{model_version}.{FORMAT}")
        training = Training(store, platform.jobs, encoder, platform.changes, platform.tenants)
        heads = TenantIntents(platform.changes, store, encoder.version, training.renew)
        return cls(store, encoder, training, heads)

    async def evaluate(
        self, tenant: str, version: Version, examples: Sequence[intents_pb2.IntentExample]
    ) -> intents_pb2.IntentReport:
        """How well a version reads these messages; raises InvalidInput, UpstreamError or Timeout."""
        version.check_usable(self.encoder.version)
        head = Head.from_bytes(await self.store.head(tenant, version.number))
        vectors = await self.encoder.encode([example.text for example in examples])
        return await asyncio.to_thread(lambda: report_on(examples, head.intents, head.probabilities(vectors)))
