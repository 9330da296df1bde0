"""The vector stores of an installation by name, each connected when it is first used."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from servers.kit.errors import InvalidInput
from servers.kit.postgres import Postgres
from servers.kit.settings import PREFIX, Settings
from servers.kit.vectors.interfaces import VectorStore
from servers.kit.vectors.pgvector import PgVector


class VectorStores:
    """`default` is where vectors are of tenants that were never moved."""

    def __init__(self, stores: Mapping[str, VectorStore], default: str) -> None:
        self._stores = stores
        self.default = default

    @classmethod
    def of(cls, settings: Settings, postgres: Postgres) -> VectorStores:
        """pgvector, and those whose URL is set. Connects to none."""
        stores: dict[str, VectorStore] = {"pgvector": PgVector(postgres)}
        if settings.milvus_url is not None:
            from servers.kit.vectors.milvus import Milvus  # needs the extra `milvus`

            stores["milvus"] = Milvus(settings.milvus_url)
        if settings.qdrant_url is not None:
            from servers.kit.vectors.qdrant import Qdrant  # needs the extra `qdrant`

            key = settings.qdrant_api_key
            stores["qdrant"] = Qdrant(settings.qdrant_url, key.get_secret_value() if key is not None else None)
        return cls(stores, settings.vector_store or list(stores)[-1])

    def get(self, name: str) -> VectorStore:
        """The store; raises InvalidInput, which says how to mend it, for one that is not set up."""
        if name not in self._stores:
            known = name in ("milvus", "qdrant")
            mend = f"set {PREFIX}{name.upper()}_URL" if known else f"there are {', '.join(self._stores)}"
            raise InvalidInput(f"this installation has no vector store {name}: {mend}")
        return self._stores[name]

    async def check(self) -> None:
        """Returns when all answer; raises when one does not."""
        await asyncio.gather(*(store.check() for store in self._stores.values()))

    async def close(self) -> None:
        """Lets go of all connections."""
        for store in self._stores.values():
            await store.close()
