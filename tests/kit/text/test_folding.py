import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.kit.text.folding import fold


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Où est ma FACTURE ?", "ou est ma facture ?"),
        ("الأحد غَدًا ســلام", "الاحد غدا سلام"),
        ("٢٥٠ درهم", "250 درهم"),
        ("le\u00a012/03", "le 12/03"),
        ("\u202a06\u202c", "06"),
        ("e\u0301te\u0301", "ete"),
    ],
)
def test_each_character_is_folded(text: str, folded: str) -> None:
    assert fold(text).text == folded


@given(st.text(st.one_of(st.characters(codec=None), st.sampled_from("ـءًé\u200f\0 ")), max_size=30))
def test_each_folded_character_comes_from_where_it_is_said_to(text: str) -> None:
    folded = fold(text)
    for place, character in enumerate(folded.text):
        start, end = folded.span(place, place + 1)
        assert fold(text[start:end]).text == character


def test_a_letter_keeps_its_signs() -> None:
    folded = fold("غَدًا مساءً ok")
    end = folded.text.index(" ok")
    assert folded.written(0, 3) == "غَدًا"
    assert folded.written(4, end) == "مساءً"
