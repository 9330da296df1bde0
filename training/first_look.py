"""Fits the curves of `servers.rag.ranking.fusion`: `python -m training.first_look` prints what stands there.

The questions of `training.questions` are asked of their corpora. The curves put what answers first, as the ranker does, and
say how likely it answers; one reads both measures of a candidate, one the overlap alone.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from servers.commands.evaluation.rag_knowledge import Knowledge
from servers.rag.embedding import Embedder
from servers.rag.lexical.terms import question_terms
from servers.rag.ranking.fusion import Curve
from training.corpus import read_examples
from training.embedding import Embedding, train
from training.questions import QuestionSet, key_of, read_sets
from training.ranker import Trial
from training.reader import kept_encoder

_DEPTH = 40
_QUESTIONS = 400  # of a set
_CALIBRATION = 0.3
_READS = {"BOTH": (1, 1, 1, 1, 1), "WORDS_ALONE": (0, 0, 1, 1, 1)}


class Look(NamedTuple):
    """Measures of a question's candidates, (n, 5), as a Curve names them, which answer, (n,), and what it counts."""

    measures: NDArray[np.float64]
    answers: NDArray[np.bool_]
    weight: float


async def looks(asked: QuestionSet, embedder: Embedder) -> list[Look]:
    """What a search finds for each question of a set."""
    knowledge = await Knowledge.of(asked.texts, embedder)
    statistics = await knowledge.statistics_of("")
    keys = {(text.id, text.loc): key_of(text) for text in asked.texts}
    questions = asked.questions[:_QUESTIONS]
    found = []
    for question, vector in zip(questions, await embedder.embed([one.text for one in questions]), strict=True):
        terms = question_terms(question.text, statistics)
        matches = await knowledge.search("", vector, terms, _DEPTH, {})
        nearness = np.array([match.nearness for match in matches])
        overlap = np.array([match.overlap for match in matches]) / max(float(terms.weights.sum()), 1e-6)
        part = overlap / max(overlap.max(), 1e-6)
        measures = np.stack([nearness, nearness - nearness.max(), overlap, part, np.ones(len(matches))], axis=1)
        answers = [keys[match.payload["document"], match.payload["loc"]] == question.answer for match in matches]
        found.append(Look(measures, np.array(answers), len(questions) ** -0.5))
    return found


def fit(found: list[Look], reads: tuple[int, ...]) -> Curve:
    """The curve over the measures that it `reads`."""
    size = max(len(look.answers) for look in found)
    measures, answers = torch.zeros(len(found), size, 5).double(), torch.zeros(len(found), size).double()
    there = torch.zeros(len(found), size, dtype=torch.bool)
    for row, look in enumerate(found):
        count = len(look.answers)
        measures[row, :count], answers[row, :count] = (
            torch.from_numpy(look.measures),
            torch.from_numpy(look.answers).double(),
        )
        there[row, :count] = True
    weights = torch.tensor([look.weight for look in found]).double()
    share = answers / answers.sum(1, keepdim=True).clamp(min=1)
    read, factors = torch.tensor(reads).double(), torch.zeros(5).double().requires_grad_()
    optimiser = torch.optim.LBFGS([factors], max_iter=200)

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        logits = (measures @ (factors * read)).masked_fill(~there, -30)
        first = -(share * functional.log_softmax(logits, 1)).sum(1)
        likely = functional.binary_cross_entropy_with_logits(logits, answers, reduction="none") * there
        loss = ((first + _CALIBRATION * likely.sum(1)) * weights).sum() / weights.sum() + 1e-4 * (factors**2).sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    return Curve(*(round(value, 2) for value in (factors * read).tolist()))


def main(embedding: Embedding | None = None) -> None:
    """Prints the curves."""
    known = [example for example in read_examples() if not example.held_out]
    embedder = Trial(embedding or train(kept_encoder(), known))
    found = [look for asked in read_sets() for look in asyncio.run(looks(asked, embedder))]
    for name, reads in _READS.items():
        print(name, fit(found, reads))


if __name__ == "__main__":
    main()
