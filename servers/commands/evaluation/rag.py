"""How well passages are found: SalamBot's own retrieval and the baselines on the same questions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.markup import escape
from rich.table import Table
from salambot.rag.v1 import rag_pb2

from servers.commands.evaluation.rag_baselines import Baseline, baselines
from servers.commands.evaluation.rag_knowledge import Knowledge, Text
from servers.commands.evaluation.rag_samples import Query
from servers.kit.inference.onnx import OnnxInference
from servers.rag.embedding import Embedder
from servers.rag.ranking.ranker import Ranker
from servers.rag.retrieval import Retriever

ALL = "all"
"""The row of all languages together."""

_DEPTH = 10
_RULE = "what Retrieve does, over an index in memory that is searched exactly"

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Found:
    """Shares are 0 to 1. `recall_at_…`: of the questions with a right passage among the first so many."""

    questions: int
    recall_at_1: float
    recall_at_5: float
    recall_at_10: float
    mrr_at_10: float
    ndcg_at_10: float


@dataclass(frozen=True, slots=True)
class Searcher:
    """One who searched: its figures by language, seconds to index the corpus, and for a question."""

    name: str
    rule: str
    by_language: dict[str, Found]
    seconds_to_index: float
    seconds_a_question: float


@dataclass(frozen=True, slots=True)
class RagEvaluation:
    """One corpus searched by several, SalamBot first; `orjson` writes it as it is."""

    queries: str
    corpus: str
    passages: int
    systems: Sequence[Searcher]


async def measure(corpus: Sequence[Text], queries: Sequence[Query], models: Path, progress: Progress) -> list[Searcher]:
    """SalamBot and the baselines that are installed; `progress` is told who is at work and the share that is done.

    Raises UpstreamError.
    """
    ours = await _product(corpus, queries, models, progress)
    return [ours, *[await asyncio.to_thread(_baseline, one, corpus, queries, progress) for one in baselines()]]


async def _product(corpus: Sequence[Text], queries: Sequence[Query], models: Path, progress: Progress) -> Searcher:
    name = "SalamBot"
    progress(name, 0.0)
    inference = await OnnxInference.open(models)
    began = time.perf_counter()
    try:
        embedder = Embedder(inference)
        knowledge = await Knowledge.of(corpus, embedder)
        retriever = Retriever(
            embedder=embedder,
            vectors=knowledge,
            read=knowledge.read,
            statistics_of=knowledge.statistics_of,
            ranker=Ranker(inference),
        )
        ready = time.perf_counter()
        ranked = []
        for number, query in enumerate(queries, start=1):
            output = await retriever.retrieve("", rag_pb2.RetrieveInput(query=query.text, limit=_DEPTH), staff=False)
            ranked.append(list(output.ids))
            progress(name, number / len(queries))
    finally:
        await inference.close()
    seconds = ready - began, (time.perf_counter() - ready) / len(queries)
    return Searcher(name, _RULE, figures(queries, ranked), *seconds)


def _baseline(baseline: Baseline, corpus: Sequence[Text], queries: Sequence[Query], progress: Progress) -> Searcher:
    progress(baseline.name, 0.0)
    began = time.perf_counter()
    search = baseline.prepare(corpus)
    ready = time.perf_counter()
    ranked = []
    for number, query in enumerate(queries, start=1):
        scores = search(query.text)
        best = np.argsort(-scores, kind="stable")[:_DEPTH]
        ranked.append([corpus[at].id for at in best if scores[at] > 0])
        progress(baseline.name, number / len(queries))
    seconds = ready - began, (time.perf_counter() - ready) / len(queries)
    return Searcher(baseline.name, baseline.rule, figures(queries, ranked), *seconds)


def figures(queries: Sequence[Query], ranked: Sequence[Sequence[str]]) -> dict[str, Found]:
    """Language → figures, and those of all; `ranked` has the ids found for each question, best first."""
    languages = sorted({query.language for query in queries} - {""})
    hits = [[one in query.relevant for one in ids[:_DEPTH]] for query, ids in zip(queries, ranked, strict=True)]
    return {
        language: _figures(
            [
                (found, len(query.relevant))
                for query, found in zip(queries, hits, strict=True)
                if language in (ALL, query.language)
            ]
        )
        for language in (*languages, ALL)
    }


def _figures(rows: Sequence[tuple[Sequence[bool], int]]) -> Found:
    """Figures of questions, each with which of the ids found are right and how many are."""
    firsts = np.array([hits.index(True) if True in hits else _DEPTH for hits, _ in rows])
    gains = 1 / np.log2(np.arange(_DEPTH) + 2)
    ndcg = [gains[: len(hits)][np.array(hits, bool)].sum() / gains[: min(right, _DEPTH)].sum() for hits, right in rows]
    return Found(
        questions=len(rows),
        recall_at_1=float((firsts < 1).mean()),
        recall_at_5=float((firsts < 5).mean()),
        recall_at_10=float((firsts < _DEPTH).mean()),
        mrr_at_10=float(np.where(firsts < _DEPTH, 1 / (firsts + 1), 0).mean()),
        ndcg_at_10=float(np.mean(ndcg)),
    )


def table_of(evaluation: RagEvaluation) -> Group:
    """A row for each language and system; below, what the systems are."""
    total = evaluation.systems[0].by_language[ALL].questions
    table = Table(title=f"retrieval: {total:,} questions, {evaluation.passages:,} passages", box=SIMPLE_HEAD)
    table.add_column("language", no_wrap=True)
    table.add_column("questions", justify="right")
    table.add_column("searched by", no_wrap=True)
    for name in ("R@1", "R@5", "R@10", "MRR@10", "nDCG@10"):
        table.add_column(name, justify="right", no_wrap=True)
    for language in evaluation.systems[0].by_language:
        for place, system in enumerate(evaluation.systems):
            found = system.by_language[language]
            table.add_row(
                *((escape(language), f"{found.questions:,}") if place == 0 else ("", "")),
                escape(system.name),
                *(f"{100 * share:.1f}" for share in (found.recall_at_1, found.recall_at_5, found.recall_at_10)),
                f"{found.mrr_at_10:.3f}",
                f"{found.ndcg_at_10:.3f}",
            )
        table.add_section()
    return Group(table, *map(_note, evaluation.systems))


def _note(system: Searcher) -> str:
    times = f"{1000 * system.seconds_a_question:.1f} ms a question, corpus in {system.seconds_to_index:.1f} s"
    return f"[bold]{escape(system.name)}[/] ({times}): {escape(system.rule)}"
