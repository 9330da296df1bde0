"""Finding the passages that answer a question."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from salambot.rag.v1 import rag_pb2

from servers.kit.errors import InvalidInput, Violation
from servers.kit.vectors import Match, VectorStore
from servers.kit.vectors.interfaces import DOCUMENT
from servers.rag.embedding import Embedder
from servers.rag.index import ATTRIBUTE, FIELDS, TOPIC
from servers.rag.vocabulary import AUDIENCES, LANGUAGES, PUBLIC, Language, word_of_language

DEFAULT_LIMIT = 5

_CANDIDATES = 8  # items looked at for each passage asked for: a subject may be there in five languages

# Measured by `training.retrieval` on questions that the model never saw.
_SAME_LANGUAGE = 0.02  # cosine by which a passage in the customer's language goes before one on another subject
_EQUALS = 0.2  # cosine by which a translation may be further from the question and still be shown: 99 % are nearer
_MIDDLE, _SLOPE = 0.43, 8.3


@dataclass(slots=True)
class Found:
    """One subject, in all the languages it was found in: the nearest, and the one to show."""

    best: float
    shown: Match
    in_language: bool


class Retriever:
    """Searches the vectors of a tenant."""

    def __init__(self, embedder: Embedder, vectors: VectorStore) -> None:
        self._embedder = embedder
        self._vectors = vectors

    async def retrieve(self, tenant: str, question: rag_pb2.RetrieveInput, *, staff: bool) -> rag_pb2.RetrieveOutput:
        """The passages nearest to the question, best first; internal ones are shown to staff alone.

        Raises InvalidInput for a filter that cannot be, UpstreamError or Timeout.
        """
        filters = _filters(question.filters, staff=staff)
        if filters is None:
            return rag_pb2.RetrieveOutput()
        limit = question.limit or DEFAULT_LIMIT
        [vector] = await self._embedder.embed([question.query])
        matches = await self._vectors.search(tenant, vector, limit * _CANDIDATES, filters)
        output = rag_pb2.RetrieveOutput()
        for found in islice(subjects_of(matches, question.language), limit):
            payload = found.shown.payload
            output.passages.append(payload["text"])
            output.ids.append(payload[DOCUMENT])
            output.scores.append(relevance(found.best))
            output.citations.add(id=payload[DOCUMENT], loc=payload["loc"], title=payload["title"], url=payload["url"])
            output.languages.append(LANGUAGES[payload["language"]])
        return output


def relevance(cosine: float) -> float:
    """Probability, 0 to 1, that a passage this near to a question answers it."""
    return 1 / (1 + math.exp(_SLOPE * (_MIDDLE - cosine)))


def _filters(asked: Mapping[str, str], *, staff: bool) -> dict[str, str] | None:
    """What payloads must hold; None when nothing that may be shown can match."""
    for name, words in (("language", LANGUAGES), ("audience", AUDIENCES)):
        if name in asked and asked[name] not in words:
            rule = f"must be one of {', '.join(words)}"
            raise InvalidInput(f"the filter {name} {rule}", violations=[Violation(f'data.filters["{name}"]', rule)])
    filters = {name if name in FIELDS else f"{ATTRIBUTE}{name}": value for name, value in asked.items()}
    if not staff:
        if filters.get("audience", PUBLIC) != PUBLIC:
            return None
        filters["audience"] = PUBLIC
    return filters


def subjects_of(matches: Sequence[Match], language: Language) -> list[Found]:
    """One entry a subject, best first. `matches` come nearest first.

    Documents that share the attribute `topic` are translations of each other: what stands at the same place in them
    is one subject, shown in the customer's language where that is as near to the question.
    """
    word = word_of_language(language)
    subjects: dict[tuple[str, str], Found] = {}
    for match in matches:
        in_language = match.payload["language"] == word
        known = subjects.setdefault(
            (match.payload[TOPIC], match.payload["loc"]), Found(match.score, match, in_language)
        )
        if in_language and not known.in_language and known.best - match.score <= _EQUALS:
            known.shown, known.in_language = match, True
    return sorted(subjects.values(), key=lambda found: -(found.best + _SAME_LANGUAGE * found.in_language))
