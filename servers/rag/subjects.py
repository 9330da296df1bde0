"""What was found, by subject: translations of one passage are one, shown in the customer's language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from servers.kit.vectors import Match
from servers.rag.index import LOC, TOPIC

_EQUALS = 0.2
"""Cosine by which a translation may be further from the question and still be shown: 99 % are nearer."""


@dataclass(slots=True)
class Subject:
    """One subject, in all the languages it was found in: the translation that scores best, and the one to show.

    `nearness` and `overlap` are the greatest of any translation.
    """

    best: Match
    score: float
    shown: Match
    nearness: float
    overlap: float


def subjects_of(matches: Sequence[Match], scores: Sequence[float], language: str) -> list[Subject]:
    """One entry a subject, best first; `language` is the customer's, as a word, or any other word.

    Documents that share the attribute `topic` are translations of each other: what stands at the same place in them
    is one subject, shown in the customer's language where that is as near to the question.
    """
    subjects: dict[tuple[str, str], Subject] = {}
    for score, match in sorted(zip(scores, matches, strict=True), key=lambda pair: -pair[0]):
        key = match.payload[TOPIC], match.payload[LOC]
        subject = subjects.setdefault(key, Subject(match, score, match, match.nearness, match.overlap))
        subject.nearness = max(subject.nearness, match.nearness)
        subject.overlap = max(subject.overlap, match.overlap)
        is_theirs = match.payload["language"] == language != subject.shown.payload["language"]
        if is_theirs and subject.best.nearness - match.nearness <= _EQUALS:
            subject.shown = match
    return list(subjects.values())


def promising(subjects: Sequence[Subject], count: int) -> list[Subject]:
    """The subjects in an order whose first `count` are worth a closer look; `subjects` come best first.

    Half of them are the best by score, the others the best by each measure alone: where the encoder does not know the
    field, or question and passage share no word, one measure misleads the score.
    """
    nearest = sorted(subjects, key=lambda subject: -subject.nearness)
    alike = sorted(subjects, key=lambda subject: -subject.overlap)
    few = count // 4
    first = {
        id(subject): subject for subject in (*subjects[: count - 2 * few], *alike[:few], *nearest[:few], *subjects)
    }
    chosen = list(first.values())
    return sorted(chosen[:count], key=lambda subject: -subject.score) + chosen[count:]
