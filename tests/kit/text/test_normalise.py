import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.kit.text.normalise import ascii_digits, normalise, sound


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Où est ma FACTURE ?!", "ou est ma facture ? !"),
        ("l'adresse d’Amina", "l adresse d amina"),
        ("salaaaaam", "salam"),
        ("10000 dh", "10000 dh"),
        ("أَهْلًا", "اهلا"),
        ("الفاتـــورة", "الفاتوره"),
        ("إلى آخر", "الي اخر"),
        ("٢٥٠ درهم", "250 درهم"),
        ("ﷲ", "الله"),
        ("merci👍🏽bzaf", "merci 👍 bzaf"),
        ("\u202b06\u200f12\u202c", "0612"),
        ("ＦＡＣＴＵＲＥ", "facture"),
        ("\ud800", ""),
        ("", ""),
    ],
)
def test_one_form_for_many_ways_to_write(written: str, expected: str) -> None:
    assert normalise(written) == expected


@pytest.mark.parametrize(
    "spellings",
    [
        ("bghit", "bghyt", "bghiit", "بغيت"),
        ("wach", "wash", "واش"),
        ("facture", "factura", "فاكتورا"),
        ("khassni", "5assni", "خاصني"),
        ("n9der", "nqder", "نقدر"),
        ("chhal", "ch7al", "شحال"),
        ("commande", "komand", "كوموند"),
    ],
)
def test_spellings_of_one_word_sound_alike(spellings: tuple[str, ...]) -> None:
    assert len({sound(normalise(spelling)) for spelling in spellings}) == 1


@given(st.text(st.characters(codec=None)))
def test_any_text_normalises_to_words_parted_by_single_spaces(text: str) -> None:
    normalised = normalise(text)
    assert normalised.split() == (normalised.split(" ") if normalised else [])
    normalised.encode()


@given(st.text())
def test_ascii_digits_moves_nothing(text: str) -> None:
    plain = ascii_digits(text)
    assert len(plain) == len(text)
    assert all(mine == other for mine, other in zip(plain, text, strict=True) if not other.isdecimal())
