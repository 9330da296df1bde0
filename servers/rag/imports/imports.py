"""All that imports need, opened together."""

from __future__ import annotations

from dataclasses import dataclass

from servers.kit.platform import Platform
from servers.kit.sealing import Seal
from servers.rag.extraction import Extractor
from servers.rag.imports.importer import Importer
from servers.rag.imports.languages import Languages
from servers.rag.imports.origins import Origins
from servers.rag.imports.store import Store
from servers.rag.imports.taking import Taking
from servers.rag.knowledge import Knowledge
from servers.rag.sources.addresses import Addresses
from servers.rag.uploads import Uploads
from servers.rag.uploads.store import Store as UploadStore

_PURPOSE = "credentials of imports"


@dataclass(frozen=True, slots=True)
class Imports:
    """The store, the work, and the files that wait for it."""

    store: Store
    importer: Importer
    uploads: Uploads
    extractor: Extractor

    @classmethod
    def open(cls, platform: Platform, knowledge: Knowledge) -> Imports:
        """Registers the job of importing."""
        store, settings = Store(platform.postgres), platform.settings
        extractor = Extractor()
        uploads = Uploads(UploadStore(platform.postgres), platform.blobs)
        importer = Importer(
            store=store,
            jobs=platform.jobs,
            tenants=platform.tenants,
            origins=Origins(
                uploads,
                settings.import_folders,
                Addresses(private=settings.import_private_addresses),
                Seal(platform.secret, _PURPOSE),
            ),
            taking=Taking(knowledge, extractor, Languages(platform.channel, platform.tenants)),
            knowledge=knowledge,
            uploads=uploads,
        )
        return cls(store, importer, uploads, extractor)

    async def close(self) -> None:
        """Ends what reads files."""
        await self.extractor.close()
