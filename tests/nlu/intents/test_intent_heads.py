"""Heads, their reports, and how their word goes with that of the built-in intents."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from salambot.common.v1 import envelope_pb2
from salambot.nlu.v1 import intents_pb2, nlu_pb2

from servers.kit.errors import InternalError
from servers.nlu.intents.head import OUT_OF_SCOPE, Head, train
from servers.nlu.intents.reading import IntentReading, Published, decide
from servers.nlu.intents.report import report_on
from servers.nlu.intents.worker import train_apart
from servers.nlu.sight import seen

FR, EN = envelope_pb2.LANGUAGE_FR, envelope_pb2.LANGUAGE_EN


def cloud(intents: list[str], size: int, width: int = 16) -> tuple[list[str], np.ndarray]:
    """`size` vectors of unit length around a point for each intent."""
    random = np.random.default_rng(7)
    labels = [intent for intent in intents for _ in range(size)]
    centres = {intent: random.normal(size=width) for intent in intents}
    vectors = np.array([centres[label] + 0.3 * random.normal(size=width) for label in labels], np.float32)
    return labels, vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


async def test_a_training_apart_makes_the_head_that_a_training_here_makes() -> None:
    labels, vectors = cloud(["a", "b", OUT_OF_SCOPE], 30)
    shares: list[float] = []

    async def note(share: float) -> None:
        shares.append(share)

    apart = await train_apart(labels, vectors, note)
    head, probabilities = train(labels, vectors, lambda share: None)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert apart.head.intents == head.intents == ("a", "b")
    np.testing.assert_allclose(apart.probabilities, probabilities, atol=1e-5)
    stored = Head.from_bytes(head.to_bytes())
    np.testing.assert_allclose(apart.head.probabilities(vectors), stored.probabilities(vectors), atol=1e-5)


async def test_a_training_that_cannot_be_done_is_not_tried_again() -> None:
    labels, vectors = cloud(["a", "b"], 3)
    with pytest.raises(InternalError):
        await train_apart(labels[1:], vectors, _ignore)


def test_a_head_comes_back_from_its_bytes() -> None:
    labels, vectors = cloud(["card_arrival", "b.c-d", OUT_OF_SCOPE], 10)
    head, _ = train(labels, vectors, lambda share: None)
    again = Head.from_bytes(head.to_bytes())
    assert again.intents == head.intents
    probabilities = again.probabilities(vectors)
    np.testing.assert_allclose(probabilities, head.probabilities(vectors), atol=0.01)  # of half precision
    assert again.to_bytes() == head.to_bytes()
    assert probabilities.dtype == np.float32
    assert (probabilities.sum(axis=1) <= 1 + 1e-6).all()
    outside = np.array([label == OUT_OF_SCOPE for label in labels])
    assert (probabilities[outside].sum(axis=1) < 0.5).all()
    with pytest.raises(ValueError, match="pickle"):
        Head.from_bytes(b"no head")


def labelled(intent: str, language: envelope_pb2.Language.ValueType) -> intents_pb2.IntentExample:
    """A message without words: reports look at labels alone."""
    return intents_pb2.IntentExample(intent=intent, language=language)


NAMES = ["a", "b", "c"]
ROWS = st.lists(
    st.tuples(st.sampled_from([*NAMES, OUT_OF_SCOPE, "other"]), st.lists(st.floats(0, 1), min_size=4, max_size=4)),
    min_size=1,
    max_size=30,
)


@given(ROWS)
def test_a_report_counts_what_was_read(rows: list[tuple[str, list[float]]]) -> None:
    messages = [labelled(intent, FR if index % 2 else EN) for index, (intent, _) in enumerate(rows)]
    scores = np.array([weights for _, weights in rows], np.float32) + 1e-3
    probabilities = (scores / scores.sum(axis=1, keepdims=True))[:, :3].astype(np.float32)
    report = report_on(messages, NAMES, probabilities)

    everything = np.column_stack((probabilities, 1 - probabilities.sum(axis=1)))
    read = [[*NAMES, OUT_OF_SCOPE][best] for best in everything.argmax(axis=1)]
    right = [message.intent == answer for message, answer in zip(messages, read, strict=True)]
    assert report.messages == len(rows)
    assert report.accuracy == pytest.approx(np.mean(right))
    assert 0 <= report.calibration_error <= 1
    assert {one.intent for one in report.by_intent} == {message.intent for message in messages}
    for figures in report.by_intent:
        of = [answer for message, answer in zip(messages, read, strict=True) if message.intent == figures.intent]
        assert figures.messages == len(of)
        assert figures.recall == pytest.approx(of.count(figures.intent) / len(of))
        if figures.intent in read:
            assert figures.precision == pytest.approx(of.count(figures.intent) / read.count(figures.intent))
    assert sum(pair.messages for pair in report.confusions) == right.count(False)
    assert all(pair.intent != pair.read_as for pair in report.confusions)


def test_the_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    messages = [labelled("a", FR)] * 6 + [labelled("b", FR)] * 4
    report = report_on(messages, ["a", "b"], np.tile(np.array([[0.8, 0.2]], np.float32), (10, 1)))
    assert report.accuracy == pytest.approx(0.6)
    assert report.calibration_error == pytest.approx(0.2, abs=1e-6)


def analysis(intent: str, confidence: float, **others: float) -> nlu_pb2.Analysis:
    alternatives = [nlu_pb2.IntentScore(intent=name, confidence=score) for name, score in others.items()]
    return nlu_pb2.Analysis(intent=intent, confidence=confidence, alternatives=alternatives)


def reading(**scores: float) -> IntentReading:
    return IntentReading("v7", tuple(nlu_pb2.IntentScore(intent=name, confidence=s) for name, s in scores.items()))


@pytest.mark.parametrize(
    ("built_in", "own", "intent", "version", "alternatives"),
    [
        (analysis("refund", 0.9, exchange=0.05), reading(parking=0.6, menu=0.3), "parking", "v7", ["refund", "menu", "exchange"]),
        (analysis("greeting", 0.99), reading(parking=0.4, menu=0.02), "greeting", "", ["parking", "menu"]),
        (analysis("greeting", 0.99), reading(parking=0.8), "greeting", "", ["parking"]),
        (analysis("thanks", 0.99), reading(thank_you=0.9), "thank_you", "v7", ["thanks"]),
        (analysis("thanks", 0.99), reading(thanks=0.6), "thanks", "v7", []),
        (analysis("unknown", 0.3, refund=0.3), reading(parking=0.4), "unknown", "", ["parking", "refund"]),
        (analysis("unknown", 0.3, refund=0.3), reading(parking=0.5), "parking", "v7", ["refund"]),
        (analysis("refund", 0.9), reading(refund=0.7), "refund", "v7", []),
        (analysis("refund", 0.9), reading(), "refund", "", []),
    ],
)  # fmt: skip
def test_a_tenant_s_intent_stands_before_the_built_in_ones_where_it_is_probable(
    built_in: nlu_pb2.Analysis, own: IntentReading, intent: str, version: str, alternatives: list[str]
) -> None:
    decide(built_in, own)
    assert (built_in.intent, built_in.intents_version) == (intent, version)
    assert [score.intent for score in built_in.alternatives] == alternatives


def test_readings_name_the_most_probable_intents_first() -> None:
    labels, vectors = cloud(list("abcdefgh"), 10)
    head, _ = train(labels, vectors, lambda share: None)
    for label, found in zip(labels, Published("v1", head).read(vectors), strict=True):
        assert found.scores[0].intent == label
        confidences = [score.confidence for score in found.scores]
        assert confidences == sorted(confidences, reverse=True)
        assert len(confidences) <= 4


def test_masks_and_what_they_hide_look_the_same_to_the_encoder() -> None:
    for text in ("rappelez le 0612345678 svp", "rappelez le [phone] svp", "rappelez le [phone:kbdmcoahabcd] svp"):
        assert seen(text).split() == ["rappelez", "le", "svp"]
    assert seen("[x y] (a) [12]") == "[x y] (a) [12]"


async def _ignore(share: float) -> None:
    """Takes no note."""
