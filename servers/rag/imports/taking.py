"""One item of an origin becomes a document: fetched, read, cut into passages, published."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from salambot.rag.v1 import import_pb2, rag_pb2

from servers.kit.errors import InvalidInput, NotFound, SalamError, Timeout, UpstreamError
from servers.rag.chunking import passages_of
from servers.rag.extraction import Extracted, Extractor, UnknownKind
from servers.rag.imports.languages import Languages
from servers.rag.imports.store import Import, Item, Outcome
from servers.rag.knowledge import Draft, Knowledge, digest_of
from servers.rag.sources import Content, Skipped, Source

_LONGEST_TITLE = 300
_MOST_WARNINGS = 20

_TAKEN, _UNCHANGED = import_pb2.ITEM_OUTCOME_TAKEN, import_pb2.ITEM_OUTCOME_UNCHANGED
_SKIPPED, _FAILED = import_pb2.ITEM_OUTCOME_SKIPPED, import_pb2.ITEM_OUTCOME_FAILED

log = structlog.get_logger(__name__)


class OutOfReach(Exception):
    """The item could not be fetched or read now, and may be later; `problem` says why."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class Taking:
    """Takes items; whatever is wrong with one of them is its own outcome."""

    def __init__(self, knowledge: Knowledge, extractor: Extractor, languages: Languages) -> None:
        self._knowledge = knowledge
        self._extractor = extractor
        self._languages = languages

    async def take(self, tenant: str, job: Import, source: Source, item: Item) -> Outcome:
        """What became of an item.

        Raises OutOfReach when its source or its reader does not answer, and UpstreamError or Timeout when our own stores do not.
        """
        try:
            async with _now_or_later():
                content = await source.fetch(item.name)
            return await self._publish(tenant, job, item, content)
        except Skipped as skipped:
            return Outcome(_SKIPPED, skipped.reason)
        except UnknownKind as error:
            return Outcome(_SKIPPED, error.message)
        except NotFound as error:
            return Outcome(_SKIPPED, error.message, gone=True)
        except InvalidInput as error:
            return Outcome(_FAILED, error.message)
        except (SalamError, OutOfReach):
            raise
        except Exception:  # a fault of ours with this item: the others are taken all the same
            log.exception("an item could not be taken", tenant=tenant, item=job.job.id, position=item.position)
            return Outcome(_FAILED, "could not be read, by a fault on our side; tell us, with the id of the import")

    async def _publish(self, tenant: str, job: Import, item: Item, content: Content) -> Outcome:
        document = _document(job, item, content)
        digest = await asyncio.to_thread(digest_of, document, content.data)
        known = await self._knowledge.unchanged(tenant, item.document, digest)
        if known is not None:
            # What an attempt of this import wrote before it was cut off is its own work.
            ours = known.updated_at.ToDatetime() >= job.job.created_at.ToDatetime()
            return Outcome(_TAKEN if ours else _UNCHANGED, "", known.passage_count, known.warnings)
        async with _now_or_later():
            extracted = await self._extractor.extract(item.name, content.data, content.media_type)
        passages = await asyncio.to_thread(passages_of, extracted.parts)
        if not passages:
            raise InvalidInput("; ".join(["holds no text that can be read", *extracted.warnings[:3]]))
        _describe(document, extracted)
        if not document.language:
            document.language = await self._languages.of(tenant, passages)
        draft = Draft(document, digest, passages, extracted.markdown, content.data)
        await self._knowledge.publish(tenant, draft)
        return Outcome(_TAKEN, "", len(passages), document.warnings)


@asynccontextmanager
async def _now_or_later() -> AsyncIterator[None]:
    """What fails in here for reasons that pass fails for this item alone."""
    try:
        yield
    except (UpstreamError, Timeout) as error:
        raise OutOfReach(error.message) from error


def _document(job: Import, item: Item, content: Content) -> rag_pb2.Document:
    """What is known of a document before its content is read."""
    said = job.defaults
    return rag_pb2.Document(
        id=item.document,
        source=job.job.source,
        origin=item.name,
        url=content.url,
        language=said.language,
        category=said.category,
        audience=said.audience or rag_pb2.AUDIENCE_PUBLIC,
        attributes=said.attributes,
        valid_from=said.valid_from if said.HasField("valid_from") else None,
        valid_until=said.valid_until if said.HasField("valid_until") else None,
    )


def _describe(document: rag_pb2.Document, extracted: Extracted) -> None:
    document.title = (extracted.title.strip() or document.origin)[:_LONGEST_TITLE]
    document.media_type = extracted.media_type
    document.warnings.extend(extracted.warnings[:_MOST_WARNINGS])
