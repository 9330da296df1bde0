"""The ranker's features, the curves of the first look, and reduction to a budget."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.rag.lexical.statistics import UNKNOWN
from servers.rag.ranking.features import FEATURES, Candidate, features_of
from servers.rag.ranking.fusion import BOTH, WORDS_ALONE, relevances
from servers.rag.ranking.question import Question
from servers.rag.reduction import GAP, reduced, sentences

PASSAGES = st.lists(st.tuples(st.text(max_size=60), st.text(max_size=200)), min_size=1, max_size=6)


@given(st.text(max_size=120), PASSAGES)
def test_features_are_numbers_whatever_the_texts(query: str, passages: list[tuple[str, str]]) -> None:
    candidates = [Candidate(title, text, 0.5, 1.0) for title, text in passages]
    seen = features_of(Question(query, UNKNOWN), 10.0, candidates)
    assert seen.shape == (len(passages), len(FEATURES))
    assert np.isfinite(seen).all()
    assert np.abs(seen).max() < 10


def test_what_a_passage_says_is_seen_in_each_way() -> None:
    question = Question("voir ma facture Casablanca", UNKNOWN)
    right = Candidate("Voir ma facture", "Ouvrez l'application.", 0.5, 3.0)
    other_script = Candidate("نشوف الفاكتورة", "حل التطبيق", 0.5, 3.0)
    wrong = Candidate("Horaires", "De 9 h à 18 h.", 0.1, 0.0)
    columns = dict(zip(FEATURES, features_of(question, 6.0, [right, other_script, wrong]).T, strict=True))
    assert columns["stem"][0] > 0.4 > columns["stem"][1] == 0 == columns["stem"][2]
    assert columns["skeleton"][1] > columns["skeleton"][2] == 0
    assert columns["concept"][1] > columns["concept"][2] == 0
    assert columns["title"][0] == columns["any"][0] > columns["any"][2]
    assert columns["neighbours"][0] > columns["neighbours"][2]
    assert columns["missing"].tolist() == [1, 1, 1]  # nobody speaks of Casablanca, the rarest word
    assert columns["same_script"].tolist() == [1, 0, 1]
    assert columns["any_gap"].max() == 0


@given(st.lists(st.sampled_from(["voir", "facture", "atlas", *map(str, range(25))]), max_size=80))
def test_words_that_stand_close_count_together(said: list[str]) -> None:
    question = Question("voir facture atlas", UNKNOWN)
    seen = features_of(question, 1.0, [Candidate("", " ".join(said), 0.5, 0.0), Candidate("", "voir", 0.5, 0.0)])[0]
    weights = dict(zip(question.words, question.weights, strict=True))
    windows = [set(said[at : at + 21]) for at in range(len(said))]
    widest = max((sum(weights.get(word, 0.0) for word in window) for window in windows), default=0.0)
    pairs = [
        any(said[at] == first and second in said[at + 1 : at + 4] for at in range(len(said)))
        for first, second in (("voir", "facture"), ("facture", "atlas"))
    ]
    assert seen[FEATURES.index("window")] == pytest.approx(widest / question.total, abs=1e-5)
    assert seen[FEATURES.index("neighbours")] == sum(pairs) / 2


def test_nearer_and_more_alike_is_more_relevant() -> None:
    nearness, overlap = np.array([0.2, 0.6, 0.6]), np.array([0.3, 0.3, 0.9])
    low, near, both = relevances(nearness, overlap, BOTH)
    assert 0 < low < near < both < 1
    assert relevances(np.zeros(3), overlap, WORDS_ALONE).argmax() == 2


@given(st.text(max_size=400))
def test_sentences_joined_are_the_text(text: str) -> None:
    assert "".join(sentences(text)) == text


def test_arabic_marks_end_sentences() -> None:
    assert sentences("واش؟ نعم، غدا؛ صافي۔ هنا") == ["واش؟ ", "نعم، ", "غدا؛ ", "صافي۔ ", "هنا"]


def test_what_matters_to_the_question_is_kept_in_order() -> None:
    text = "Bonjour à tous. La facture se paie en ligne. Le magasin est beau. Payez la facture avant le 20. Merci."
    (short,) = reduced([text], Question("payer ma facture", UNKNOWN), 68)
    assert short == f"{GAP} La facture se paie en ligne. {GAP} Payez la facture avant le 20. {GAP}"


@given(st.lists(st.text(alphabet="abc. ؟،\n", max_size=200), max_size=5), st.integers(1, 300), st.text(max_size=20))
def test_a_budget_is_kept_and_nothing_is_made_up(texts: list[str], budget: int, query: str) -> None:
    short = reduced(texts, Question(query, UNKNOWN), budget)
    assert len(short) == len(texts)
    if sum(map(len, texts)) <= budget:
        assert short == texts
        return
    assert sum(map(len, short)) <= budget
    for reduced_text, text in zip(short, texts, strict=True):
        at = 0
        for piece in reduced_text.split(GAP):
            at = text.index(piece.strip(), at) + len(piece.strip())


def test_without_a_budget_passages_are_whole() -> None:
    assert reduced(["Un. Deux."], Question("un", UNKNOWN), 0) == ["Un. Deux."]
