"""Which way a message is answered, from its intent alone; what the look-up finds may still change it."""

from __future__ import annotations

from collections.abc import Sequence

from salambot.orchestrator.v1 import orchestrator_pb2
from salambot.rag.v1 import rag_pb2

SMALL_TALK = frozenset({"greeting", "thanks", "goodbye", "praise", "bot_identity"})
PERSON = frozenset({"human_agent"})
OUT_OF_SCOPE = "out_of_scope"

NO_ANSWER = "no_answer"
CANNOT_LOOK_UP = "cannot_look_up"

RELEVANT = 0.5
"""Under this relevance a passage is not an answer; the customer is told so rather than misled."""

Route = orchestrator_pb2.Route


def route_of(intent: str) -> Route.ValueType:
    """Small talk and requests for a person need no look-up; everything else may stand in the knowledge."""
    if intent in SMALL_TALK:
        return orchestrator_pb2.ROUTE_SMALL_TALK
    if intent in PERSON:
        return orchestrator_pb2.ROUTE_PERSON
    return orchestrator_pb2.ROUTE_KNOWLEDGE


def relevant(found: rag_pb2.RetrieveOutput) -> Sequence[int]:
    """Indices of the passages that may be answered from, best first."""
    return [index for index, score in enumerate(found.scores) if score >= RELEVANT]
