"""The learned ranker: how likely each of the best candidates answers the question."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import structlog
from numpy.typing import NDArray

from servers.kit.errors import SalamError
from servers.kit.inference.interfaces import Inference
from servers.rag.ranking.features import Candidate, features_of
from servers.rag.ranking.question import Question

MODEL = "ranker"
MOST = 64
"""Candidates that are judged at once: the model's largest batch."""

log = structlog.get_logger(__name__)


class Ranker:
    """Judges candidates by the model of the repository."""

    def __init__(self, inference: Inference) -> None:
        self._inference = inference

    async def judge(
        self, question: Question, ideal: float, candidates: Sequence[Candidate]
    ) -> NDArray[np.float64] | None:
        """Probabilities, shape (len(candidates),), of 1 to MOST candidates; None while the model does not answer."""
        features = features_of(question, ideal, candidates)
        try:
            answer = await self._inference.infer(MODEL, {"features": features}, ["relevance"])
        except SalamError as error:
            log.warning("passages are not ranked anew", problem=error.message)
            return None
        return answer["relevance"].reshape(-1).astype(np.float64)
