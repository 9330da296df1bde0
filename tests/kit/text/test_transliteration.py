from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.kit.text.graphones import BOUNDARY, LONGEST_WORD, Graphone, JointModel
from servers.kit.text.normalise import normalise
from servers.kit.text.offsets import words
from servers.kit.text.transliteration import TABLE, Script, read_table, to_arabic, to_latin, transliterate, write_table
from training.transliteration import align, evaluate, held_out, learn, read_pairs


@pytest.mark.parametrize(
    ("latin", "arabic"),
    [
        ("3afak", "عفاك"), ("bghit", "بغيت"), ("wach", "واش"), ("dyal", "ديال"), ("7it", "حيت"), ("9bel", "قبل"),
        ("chno", "شنو"), ("kifach", "كيفاش"), ("ch7al", "شحال"), ("ghda", "غدا"), ("lbare7", "البارح"), ("2akid", "أكيد"),
        ("5assni", "خاصني"), ("6awila", "طاولة"), ("8adchi", "هادشي"), ("nshouf", "نشوف"), ("Chokran", "شكرا"),
        ("l’commande", "الكوموند"), ("ddar", "دار"), ("facture", "فاكتورة"), ("livraison", "ليفريزون"), ("réseau", "ريزو"),
    ],
)  # fmt: skip
def test_words_in_latin_letters(latin: str, arabic: str) -> None:
    assert arabic in to_arabic(latin)


@pytest.mark.parametrize(
    ("arabic", "latin"),
    [
        ("عفاك", "3afak"), ("بْغِيت", "bghit"), ("واش", "wach"), ("حيت", "7it"), ("شنـو", "chno"), ("شحال", "chhal"),
        ("كيفاش", "kifach"), ("غدا", "ghda"), ("البارح", "lbare7"), ("كوموند", "commande"), ("ڭاع", "ga3"), ("مدينة", "mdina"),
    ],
)  # fmt: skip
def test_words_in_arabic_letters(arabic: str, latin: str) -> None:
    assert latin in to_latin(arabic)


def test_the_table_does_well_on_words_it_was_not_made_from() -> None:
    figures = evaluate(JointModel(*read_table()), list(filter(held_out, read_pairs())))
    floors = (0.50, 0.70, 0.46, 0.69)  # from Latin letters: the first, one of the first four; from Arabic ones likewise
    assert all(figure >= floor for figure, floor in zip(figures.values(), floors, strict=True)), figures
    assert TABLE.stat().st_size < 60_000


def test_learning_finds_the_letters_that_belong_together(tmp_path: Path) -> None:
    stems = (("kif", "كيف"), ("chaf", "شاف"), ("fach", "فاش"), ("chi", "شي"), ("fik", "فيك"), ("kaf", "كاف"))
    graphones, counts = learn(dict.fromkeys(stems, 2))
    assert Graphone("ch", "ش") in graphones
    assert graphones[BOUNDARY] == Graphone("", "")
    assert align(("kif", "كيف"), None) == [Graphone("k", "ك"), Graphone("i", "ي"), Graphone("f", "ف")]
    write_table(graphones, counts, tmp_path / "table.tsv")
    assert read_table(tmp_path / "table.tsv") == (graphones, counts)
    assert JointModel(graphones, counts).spell("chif", 0, 1) == ["شيف"]


def test_a_message_changes_its_script_word_by_word() -> None:
    written = "Wach ghadi, 250dh 5g 3la CMD-12 https://x.ma/dyal a@b.com 👍🏽 واش ?\n"
    assert (
        transliterate(written, Script.ARABIC) == "واش غادي، 250dh 5g على CMD-12 https://x.ma/dyal a@b.com 👍🏽 واش ؟\n"
    )
    assert (
        transliterate("واش غادي، 5g https://x.ma/ديال 👍🏽؟", Script.LATIN) == "wach ghadi, 5g https://x.ma/ديال 👍🏽?"
    )


@given(st.text(st.characters(codec=None)) | st.text("abc23578'شعيـَ.@1 \n", max_size=60), st.integers(1, 6))
def test_any_text_has_sane_candidates(text: str, limit: int) -> None:
    for candidates in (to_arabic(text, limit), to_latin(text, limit)):
        assert len(candidates) == len(set(candidates)) <= limit
        assert all(len(normalise(candidate).split()) <= 1 for candidate in candidates)
    for script in Script:
        changed = transliterate(text, script)
        assert [char for char in changed if char.isspace()] == [char for char in text if char.isspace()]


@pytest.mark.parametrize(
    "word", ["", "12", "hello world", "فين غادي", "привет", "\ud800", "ab" * LONGEST_WORD, "ab" * 50_000]
)
def test_what_is_no_word_has_no_candidates(word: str) -> None:
    assert not to_arabic(word)
    assert not to_latin(word)


def test_candidates_keep_their_place_in_the_message() -> None:
    message = "salam, fin L'COMMANDE dyali 👍🏽?"
    found = {message[word.start : word.end]: to_arabic(word.text) for word in words(message)}
    assert list(found) == ["salam", "fin", "L", "COMMANDE", "dyali", "👍🏽", "?"]
    assert "كوموند" in found["COMMANDE"]
    assert not found["👍🏽"]
