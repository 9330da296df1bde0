import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.kit.text.features import encode
from servers.nlu.code_switching import Span, SpanFinder
from servers.nlu.language import CLASSES, FILE, SERVED, Identified, language_model, read_language_model

CORPUS = Path(__file__).parents[2] / "training" / "corpora" / "language"
UNSEEN = [line.split("\t") for line in (CORPUS / "eval.tsv").read_text("utf-8").splitlines()]
SWITCHED = [json.loads(line) for line in (CORPUS / "spans.jsonl").read_text("utf-8").splitlines()]


def identify(text: str) -> Identified:
    (found,) = language_model().identify(encode([text]))
    return found


def spans_of(text: str) -> list[Span]:
    (found,) = SpanFinder(language_model()).find([text])
    return found


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("salam 3afak fin n9der nshouf la facture ?", "darija_arabizi"),
        ("واش كاين شي حد هنا", "darija_arabic"),
        ("هل يوجد أحد هنا", "ar"),
        ("je voudrais parler à quelqu'un", "fr"),
        ("is anybody there", "en"),
        ("merci", "fr"),
        ("@user42 wa fin a 3chiri 😂😂 #maroc", "darija_arabizi"),
    ],
)
def test_each_language_is_told(text: str, language: str) -> None:
    found = identify(text)
    assert found.language == language
    assert found.confidence > found.unknown


@pytest.mark.parametrize(("variety", "least"), [("clean", 0.97), ("noisy", 0.97)])
def test_messages_it_was_not_trained_on(variety: str, least: float) -> None:
    right = [identify(text).language == label for label, kind, text in UNSEEN if kind == variety]
    assert np.mean(right) >= least


def test_darija_in_arabic_letters_is_not_taken_for_arabic() -> None:
    right = [identify(text).language == label for label, _, text in UNSEEN if label == "darija_arabic"]
    assert np.mean(right) >= 0.95


def test_other_dialects_and_languages_are_not_taken_for_darija() -> None:
    others = {label: [text for kind, _, text in UNSEEN if kind == label] for label in CLASSES[len(SERVED) :]}
    for label, texts in others.items():
        darija = [found for found in map(identify, texts) if found.language.startswith("darija")]
        assert len(darija) <= 0.12 * len(texts), label


@pytest.mark.parametrize(
    ("text", "nearest"),
    [("عايزة اعرف الشحنة بتاعتي فين دلوقتي", "ar"), ("quiero saber dónde está mi pedido por favor", "fr")],
)
def test_a_language_that_is_not_served_is_said_to_be_unknown(text: str, nearest: str) -> None:
    found = identify(text)
    assert found.unknown > 0.5
    assert found.language in (nearest, "en" if nearest == "fr" else nearest)


def test_a_model_of_other_features_is_refused(tmp_path: Path) -> None:
    with np.load(FILE) as arrays:
        np.savez(tmp_path / "language.npz", **{**arrays, "features_version": 0})
    with pytest.raises(ValueError, match="make train"):
        read_language_model(tmp_path / "language.npz")


@given(st.lists(st.text(max_size=60), max_size=5))
def test_any_text_has_probabilities_and_the_same_alone_as_in_company(texts: list[str]) -> None:
    together = language_model().probabilities(encode(texts))
    assert together.shape == (len(texts), len(CLASSES))
    assert together.sum(1) == pytest.approx(np.ones(len(texts)), abs=1e-5)
    for text, row in zip(texts, together, strict=True):
        assert row == pytest.approx(language_model().probabilities(encode([text]))[0], abs=1e-5)


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        (
            "salam khoya labas, je voudrais savoir si ma commande est arrivée 😊",
            [("darija_arabizi", "salam khoya labas,"), ("fr", "je voudrais savoir si ma commande est arrivée 😊")],
        ),
        (
            "bonjour واش مازال كاين هاد الموديل ؟",
            [("fr", "bonjour"), ("darija_arabic", "واش مازال كاين هاد الموديل ؟")],
        ),
        ("bghit nkhelles la facture dyali 3afak", []),
        ("votre commande 12345 est en route !", []),
        ("12 🙂 ?!", []),
        ("", []),
    ],
)
def test_languages_are_told_apart_within_a_message(text: str, spans: list[tuple[str, str]]) -> None:
    found = spans_of(text)
    assert [(span.language, text[span.start : span.end]) for span in found] == spans


def test_most_letters_are_in_a_span_of_their_language() -> None:
    found_in = SpanFinder(language_model()).find([row["text"] for row in SWITCHED])
    right = [
        any(found.language == span["language"] and found.start <= at < found.end for found in spans)
        for row, spans in zip(SWITCHED, found_in, strict=True)
        for span in row["spans"]
        for at in range(span["start"], span["end"])
    ]
    assert np.mean(right) >= 0.9


@given(st.text(st.sampled_from("abc éçش و ل3 9?!.،\n👩🏽‍🦱ﷺ\u0301"), max_size=80) | st.text(max_size=80))
def test_spans_cut_the_whole_text_in_order(text: str) -> None:
    found = spans_of(text)
    assert len(found) != 1
    if found:
        assert text[: found[0].start].strip() == text[found[-1].end :].strip() == ""
    for span in found:
        assert text[span.start : span.end].strip() == text[span.start : span.end] != ""
        assert 0 <= span.confidence <= 1
    for before, after in pairwise(found):
        assert before.end <= after.start
        assert before.language != after.language or text[before.end : after.start].strip() == ""
