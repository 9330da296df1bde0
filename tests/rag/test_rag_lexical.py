"""Words, their terms, and that spellings and languages meet."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.kit.text.normalise import normalise
from servers.kit.vectors.interfaces import TERMS
from servers.rag.lexical.memo import Memo
from servers.rag.lexical.statistics import UNKNOWN, Statistics
from servers.rag.lexical.terms import MOST, SPAN, Family, passage_terms, question_terms, term, terms_of
from servers.rag.lexical.words import skeletons, stem, words
from training.concepts import TABLE, digest


def overlap(question: str, title: str, text: str, statistics: Statistics = UNKNOWN) -> float:
    asked, held = question_terms(question, statistics), passage_terms(title, text)
    _, here, there = np.intersect1d(asked.ids, held.ids, return_indices=True)
    return float(asked.weights[here] @ held.weights[there])


@pytest.mark.parametrize(
    "alike", [("facture", "factures"), ("الفاتورة", "بالفاتورة"), ("الجامعات", "جامعة"), ("payment", "payments")]
)
def test_forms_of_a_word_have_one_stem(alike: tuple[str, str]) -> None:
    first, second = (stem(normalise(word)) for word in alike)
    assert first == second


@pytest.mark.parametrize(
    "alike",
    [
        ("lfactura", "الفاكتورة"),
        ("facture", "الفاكتورة"),
        ("lcommande", "الكوموند"),
        ("Victoria", "فيكتوريا"),
        ("Denver", "دنفر"),
        ("lcarte", "لاكارط"),
        ("London", "لندن"),
    ],
)
def test_spellings_of_both_scripts_share_a_skeleton(alike: tuple[str, str]) -> None:
    first, second = (skeletons(normalise(word)) for word in alike)
    assert set(first) & set(second)


@pytest.mark.parametrize(
    ("question", "right", "wrong"),
    [
        ("fin n9der nshouf lfactura", "Consulter sa facture", "Fermer son compte"),
        ("fin n9der nshouf lfactura", "الاطلاع على الفاتورة", "إغلاق الحساب"),
        ("ضاعت ليا لاكارط", "Carte perdue ou volée", "Horaires d'ouverture"),
        ("من أسس المدينة؟", "The city was founded by a king", "The river is very long"),
        ("I lost my card", "بطاقة مفقودة", "سعر الصرف"),
        ("ch7al taman dyal livraison", "ثمن التوصيل", "كلمة السر"),
    ],
)
def test_questions_overlap_with_what_answers_in_other_languages(question: str, right: str, wrong: str) -> None:
    assert overlap(question, "", right) > 2 * overlap(question, "", wrong)


def test_words_that_a_tenant_has_everywhere_weigh_little() -> None:
    atlas = term(Family.STEM, stem("atlas"))
    everywhere = Statistics(1000, np.array([atlas], np.int32), np.array([990], np.int32))
    asked = question_terms("atlas", everywhere)
    weight = dict(zip(asked.ids.tolist(), asked.weights.tolist(), strict=True))[atlas]
    assert weight < 0.1 * overlap("atlas", "", "atlas")


def test_titles_count_more() -> None:
    assert overlap("remboursement", "Remboursement", "Voyez ici.") > overlap("remboursement", "", "Remboursement ici.")


@given(st.text(max_size=300), st.text(max_size=300))
def test_terms_are_what_the_vector_store_takes(title: str, text: str) -> None:
    for terms in (passage_terms(title, text), question_terms(text, UNKNOWN)):
        assert (np.diff(terms.ids) > 0).all()
        assert ((terms.ids >= 0) & (terms.ids < TERMS)).all()
        assert (terms.weights > 0).all()
        assert (terms.ids.dtype, terms.weights.dtype) == (np.int32, np.float32)
        assert len(terms.ids) == len(terms.weights) <= MOST


@given(st.text(min_size=1, max_size=60))
def test_every_word_has_a_stem_first(text: str) -> None:
    for word in words(text):
        assert terms_of(word).ids[0] // SPAN == Family.STEM


@given(st.text(max_size=200), st.text(min_size=1, max_size=60))
def test_words_are_those_of_the_normalised_text(text: str, token: str) -> None:
    assert words(text) == [word for word in normalise(text).split() if word not in "?!"]
    long = token * 60
    assert words(f"{long} {text}") == [*words(long), *words(text)]


def test_what_is_remembered_of_words_is_bounded() -> None:
    made: list[str] = []
    memo = Memo(lambda word: made.append(word) or len(word))  # type: ignore[func-returns-value]
    assert [memo["a"], memo["a"], memo["x" * 1000], memo["x" * 1000]] == [1, 1, 1000, 1000]
    assert made == ["a", "x" * 1000, "x" * 1000], "a word without end is not kept"
    for number in range(70_000):
        assert memo[str(number)] == len(str(number))
    assert len(memo) <= 1 << 16


def test_long_texts_take_time_in_proportion() -> None:
    def seconds(size: int) -> float:
        text = " ".join(f"mot{number}" for number in range(size))
        passage_terms("", text)
        began = time.process_time()
        passage_terms("", text)
        return time.process_time() - began

    assert seconds(40_000) < 40 * max(seconds(4_000), 1e-3)
    assert len(passage_terms("", " ".join(f"mot{number}" for number in range(9000))).ids) == MOST


def test_a_word_without_end_is_no_trouble() -> None:
    assert len(passage_terms("", "a" * 1_000_000).ids) <= 8
    assert len(passage_terms("", "ا" * 1_000_000).ids) <= 8


def test_the_table_of_concepts_is_learnt_from_the_corpora_as_they_are() -> None:
    with TABLE.open(encoding="utf-8") as lines:
        assert next(lines).strip() == digest(), "run `python -m training.concepts`"
