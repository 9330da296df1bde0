"""Passages in the vector store: how they are written there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from salambot.rag.v1 import rag_pb2

from servers.kit.vectors import Item
from servers.kit.vectors.interfaces import DOCUMENT, VERSION
from servers.rag.embedding import Embedder
from servers.rag.lexical.terms import passage_terms
from servers.rag.passages import Passage
from servers.rag.vocabulary import word_of_audience, word_of_language

ATTRIBUTE = "attributes."
"""Prefix of free attributes in payloads, so that none can pass for a field."""

TOPIC = "topic"
"""Attribute that translations of one document share."""

LOC = "loc"
"""Payload key of the place in the document."""

FIELDS = (DOCUMENT, "category", "language", "audience")
"""What filters match besides attributes, by the name it has in payloads."""

_SMALLEST = 1e-6


async def items_of(embedder: Embedder, document: rag_pb2.Document, passages: Sequence[Passage]) -> list[Item]:
    """The items of a document's passages in its version. Raises UpstreamError or Timeout.

    A passage lies midway between its heading, the question that it answers, and its text. Of held-out questions to the
    demo knowledge that puts the right entry first for 78 of 100 (the text alone 70), of paraphrased ones to entries of a
    public service for 32 (the nearer of two vectors 31, the heading or the text alone 28).
    """
    titles = [passage.title or document.title for passage in passages]
    headings, texts = np.split(await embedder.embed([*titles, *(passage.text for passage in passages)]), 2)
    middles = headings + texts
    middles /= np.maximum(np.linalg.norm(middles, axis=1, keepdims=True), _SMALLEST)
    common = {
        DOCUMENT: document.id,
        VERSION: str(document.version),
        "category": document.category,
        "language": word_of_language(document.language),
        "audience": word_of_audience(document.audience),
        TOPIC: document.attributes.get(TOPIC, document.id),
        **{f"{ATTRIBUTE}{name}": value for name, value in document.attributes.items()},
    }
    return [
        Item(
            f"{document.id}@{document.version}{passage.loc}",
            vector,
            passage_terms(title, passage.text),
            {**common, LOC: passage.loc},
        )
        for passage, title, vector in zip(passages, titles, middles, strict=True)
    ]
