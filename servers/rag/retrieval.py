"""Finding the passages that answer a question."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import structlog
from salambot.rag.v1 import rag_pb2

from servers.kit.errors import InvalidInput, UpstreamError, Violation
from servers.kit.vectors import Match, Terms
from servers.kit.vectors.interfaces import DIMENSIONS, Filters, Vector
from servers.rag.embedding import Embedder
from servers.rag.index import ATTRIBUTE, FIELDS
from servers.rag.lexical.statistics import Statistics
from servers.rag.lexical.terms import question_terms
from servers.rag.ranking.features import Candidate
from servers.rag.ranking.fusion import BOTH, WORDS_ALONE, relevances
from servers.rag.ranking.question import Question
from servers.rag.ranking.ranker import MOST, Ranker
from servers.rag.reduction import reduced
from servers.rag.standing import Standing
from servers.rag.subjects import Subject, promising, subjects_of
from servers.rag.vocabulary import AUDIENCES, LANGUAGES, PUBLIC, word_of_language

DEFAULT_LIMIT = 5

_CANDIDATES = 8
"""Items looked for by each measure, for each passage asked for: a subject may be there in five languages."""
_FEWEST_CANDIDATES, _MOST_CANDIDATES = 40, 1600
_AGAIN = 3
"""Searches that are made again because passages fell away, although there are no more to find."""
_RANKED = 16
"""Subjects that are ranked anew at least."""
_SAME_LANGUAGE = 0.02
"""Probability by which a passage in the customer's language goes before one on another subject."""

log = structlog.get_logger(__name__)


StatisticsOf = Callable[[str], Awaitable[Statistics]]
"""Gives how rare words are in a tenant's knowledge; never fails."""


class Read(Protocol):
    """Reads passages; see `standing.Passages.read`."""

    async def __call__(self, tenant: str, matches: Sequence[Match], *, staff: bool) -> Mapping[str, Standing]:
        """By the matches' ids, the passages that may be shown."""
        ...


class Vectors(Protocol):
    """What is asked of a VectorStore."""

    async def search(self, tenant: str, vector: Vector, terms: Terms, limit: int, filters: Filters) -> list[Match]:
        """See VectorStore."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """A passage to be shown, and the probability that it answers."""

    passage: Standing
    relevance: float
    in_language: bool


@dataclass(frozen=True, slots=True)
class _Search:
    """A question on its way: what the stores are asked, and for whom."""

    tenant: str
    question: Question
    vector: Vector
    terms: Terms
    filters: Filters
    language: str
    limit: int
    staff: bool

    @property
    def ideal(self) -> float:
        """The overlap of a passage that says all of the question once: the scale of overlaps."""
        return float(self.terms.weights.sum())


class Retriever:
    """Searches the knowledge of tenants."""

    def __init__(
        self, *, embedder: Embedder, vectors: Vectors, read: Read, statistics_of: StatisticsOf, ranker: Ranker
    ) -> None:
        self._embedder = embedder
        self._vectors = vectors
        self._read = read
        self._statistics_of = statistics_of
        self._ranker = ranker

    async def retrieve(self, tenant: str, asked: rag_pb2.RetrieveInput, *, staff: bool) -> rag_pb2.RetrieveOutput:
        """The passages that most likely answer the question, best first; internal ones are shown to staff alone.

        Without the encoder, passages are found by their words. Raises InvalidInput for a filter that cannot be,
        UpstreamError or Timeout.
        """
        filters = _filters(asked.filters, staff=staff)
        output = rag_pb2.RetrieveOutput()
        if filters is None:
            return output
        statistics = await self._statistics_of(tenant)
        search = _Search(
            tenant=tenant,
            question=Question(asked.query, statistics),
            vector=await self._embedded(asked.query),
            terms=question_terms(asked.query, statistics),
            filters=filters,
            language=word_of_language(asked.language),
            limit=asked.limit or DEFAULT_LIMIT,
            staff=staff,
        )
        found = await self._find(search)
        texts = reduced([one.passage.text for one in found], search.question, asked.budget)
        for one, text in zip(found, texts, strict=True):
            passage = one.passage
            output.passages.append(text)
            output.ids.append(passage.document)
            output.scores.append(one.relevance)
            output.citations.add(id=passage.document, loc=passage.loc, title=passage.title, url=passage.url)
            output.languages.append(LANGUAGES[passage.language])
        return output

    async def _embedded(self, query: str) -> Vector:
        """The question's vector; zeros while the encoder is out of reach."""
        try:
            vector: Vector = (await self._embedder.embed([query]))[0]
        except UpstreamError as error:
            log.warning("passages are searched by words alone", problem=error.message)
            return np.zeros(DIMENSIONS, np.float32)
        return vector

    async def _find(self, search: _Search) -> list[Found]:
        """Searches until enough passages stand, or there are no more."""
        depth, again = max(_FEWEST_CANDIDATES, _CANDIDATES * search.limit), _AGAIN
        while True:
            matches = await self._vectors.search(search.tenant, search.vector, search.terms, depth, search.filters)
            found, fell_away = await self._stand(search, matches)
            if len(found) >= search.limit:
                break
            if len(matches) >= depth and depth < _MOST_CANDIDATES:
                depth *= 4
            elif fell_away and again:  # a document may have changed since its old version was found
                again -= 1
            else:
                break
        return found[: search.limit]

    async def _stand(self, search: _Search, matches: Sequence[Match]) -> tuple[list[Found], bool]:
        """The best of the matches that stand, ranked, at least the limit where so many stand; whether some do not."""
        scores = dict(zip((match.id for match in matches), _first_look(search, matches), strict=True))
        wanted = min(MOST, max(_RANKED, search.limit))
        standing: dict[str, Standing] = {}
        candidates = list(matches)
        while True:
            told = subjects_of(candidates, [scores[match.id] for match in candidates], search.language)
            subjects = promising(told, wanted)[:wanted]
            shown = {match.id: match for subject in subjects for match in (subject.best, subject.shown)}
            asked = [match for id_, match in shown.items() if id_ not in standing]
            standing |= await self._read(search.tenant, asked, staff=search.staff)
            gone = {match.id for match in asked} - standing.keys()
            if not gone:
                break
            # What stands behind them has its turn: another version, a translation, the next subject.
            candidates = [match for match in candidates if match.id not in gone]
        return await self._rank(search, subjects, standing), len(candidates) < len(matches)

    async def _rank(
        self, search: _Search, subjects: Sequence[Subject], standing: Mapping[str, Standing]
    ) -> list[Found]:
        if not subjects:
            return []
        relevance = [subject.score for subject in subjects]
        if search.vector.any():
            candidates = [
                Candidate(one.title, one.text, subject.nearness, subject.overlap)
                for subject in subjects
                for one in [standing[subject.best.id]]
            ]
            judged = await self._ranker.judge(search.question, search.ideal, candidates)
            relevance = relevance if judged is None else judged.tolist()
        found = [
            Found(standing[subject.shown.id], one, standing[subject.shown.id].language == search.language)
            for subject, one in zip(subjects, relevance, strict=True)
        ]
        return _in_order(found)


def _first_look(search: _Search, matches: Sequence[Match]) -> list[float]:
    nearness = np.array([match.nearness for match in matches])
    overlap = np.array([match.overlap for match in matches]) / max(search.ideal, 1e-6)
    scores: list[float] = relevances(nearness, overlap, BOTH if search.vector.any() else WORDS_ALONE).tolist()
    return scores


def _in_order(found: Sequence[Found]) -> list[Found]:
    """Best first, the customer's language before others among equals; a score is never above one before it."""
    ordered = sorted(found, key=lambda one: -(one.relevance + _SAME_LANGUAGE * one.in_language))
    highest = 1.0
    capped = []
    for one in ordered:
        highest = min(highest, one.relevance)
        capped.append(replace(one, relevance=highest))
    return capped


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
