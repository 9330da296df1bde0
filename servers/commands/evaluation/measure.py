"""Everybody answers the same messages, one after the other: they would disturb each other's time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from servers.commands.evaluation.baselines import Baseline, baselines_for
from servers.commands.evaluation.figures import Answers, figures_by_language
from servers.commands.evaluation.product import read_with_head, read_with_reader, train_head
from servers.commands.evaluation.report import System
from servers.commands.evaluation.samples import Problem, Sample
from servers.kit.inference.onnx import OnnxInference
from servers.nlu.intents.encoding import Encoder
from servers.nlu.labels import Labels

Progress = Callable[[str, float], None]
"""Told who is at work, and the share that is done, 0 to 1."""

_CHUNK = 256  # messages between two steps of the progress


async def measure_product(problem: Problem, models: Path, labels: Labels, progress: Progress) -> System:
    """SalamBot: the reader, or a head trained on the examples where there are any. Raises UpstreamError."""
    name, rule, samples = "SalamBot", "what Analyze says", problem.samples

    def step(share: float) -> None:
        progress(name, share)

    step(0.0)
    inference = await OnnxInference.open(models)
    began = ready = time.perf_counter()
    try:
        if problem.examples:
            rule = f"a tenant's own intents, trained on {len(problem.examples):,} examples"
            encoder = Encoder(inference, labels.version)
            head = await train_head(problem.examples, encoder, step)
            ready = time.perf_counter()
            answers = await read_with_head(samples, head, encoder, step)
        else:
            answers = await read_with_reader(problem, inference, labels, step)
    finally:
        await inference.close()
    return System(name, rule, figures_by_language(samples, answers), ready - began, time.perf_counter() - ready)


async def measure_baselines(problem: Problem, progress: Progress) -> list[System]:
    """The baselines that are installed."""
    return [
        await asyncio.to_thread(_measure, baseline, problem.samples, progress) for baseline in baselines_for(problem)
    ]


def _measure(baseline: Baseline, samples: Sequence[Sample], progress: Progress) -> System:
    progress(baseline.name, 0.0)
    began = time.perf_counter()
    answer = baseline.prepare()
    prepared = time.perf_counter()
    said: list[str] = []
    for start in range(0, len(samples), _CHUNK):
        said += answer([sample.text for sample in samples[start : start + _CHUNK]])
        progress(baseline.name, len(said) / len(samples))
    figures = figures_by_language(samples, Answers(said))
    return System(baseline.name, baseline.rule, figures, prepared - began, time.perf_counter() - prepared)
