"""Passages in the vector store: how they are written there, and read back."""

from __future__ import annotations

from collections.abc import Sequence

from salambot.rag.v1 import rag_pb2

from servers.kit.vectors import Item
from servers.kit.vectors.interfaces import DOCUMENT
from servers.rag.documents import Passage
from servers.rag.embedding import Embedder
from servers.rag.vocabulary import word_of_audience, word_of_language

ATTRIBUTE = "attributes."
"""Prefix of free attributes in payloads, so that none can pass for a field."""

TOPIC = "topic"
"""Attribute that translations of one document share."""

FIELDS = (DOCUMENT, "category", "language", "audience")
"""What filters match besides attributes, by the name it has in payloads."""


async def items_of(embedder: Embedder, document: rag_pb2.Document, passages: Sequence[Passage]) -> list[Item]:
    """The items of a document's passages: two each, the heading being the question that the body answers.

    Raises UpstreamError or Timeout.
    """
    titles = [passage.title or document.title for passage in passages]
    vectors = await embedder.embed([*titles, *(passage.text for passage in passages)])
    common = {
        DOCUMENT: document.id,
        "category": document.category,
        "language": word_of_language(document.language),
        "audience": word_of_audience(document.audience),
        "url": document.url,
        TOPIC: document.attributes.get(TOPIC, document.id),
        **{f"{ATTRIBUTE}{name}": value for name, value in document.attributes.items()},
    }
    items = []
    for index, (title, passage) in enumerate(zip(titles, passages, strict=True)):
        payload = {**common, "loc": passage.loc, "title": title, "text": passage.text}
        place = f"{document.id}{passage.loc}"
        items.append(Item(f"{place}?", vectors[index], payload))
        items.append(Item(place, vectors[len(passages) + index], payload))
    return items
