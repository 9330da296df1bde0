import sys
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from servers.kit.text.normalise import normalise
from servers.kit.text.offsets import Word, normalise_with_offsets, words

FAMILY = "👨‍👩‍👧"
LETTERS = st.sampled_from(
    [
        *(
            "salaaaam",
            "3afak",
            "عَفَاكَ",
            "الفاتـــورة",
            "شيء",
            "ءاش",
            "ﷺ",
            "ﻻـ",
            "ﬁn",
            "İ",
            "ΟΔΟΣ",
            "œuf",
            "e\u0301",
            "٢٥",
        ),
        *("ㄱㅏ", "ｶﾞ", "한", "각", "कि", "กำ", "👍🏽", FAMILY, "🇲🇦🇫🇷", "❤️", "1️⃣"),
        *("\u200f", "\u200d", "\u0301", "^", "ـ", "ء", "?!", " ", "\ud83d"),
    ]
)
ANY_TEXT = st.lists(st.text(st.characters(codec=None), max_size=8) | LETTERS, max_size=12).map("".join)
SCRIPTS = "".join(
    chr(code) for code in range(0x250, 0x11000) if unicodedata.category(chr(code))[0] == "L" and not code % 97
)


def is_emoji(character: str) -> bool:
    """Whether a joiner behind it joins it to the next: a symbol, but no letter of a flag."""
    return unicodedata.category(character) == "So" and not "🇦" <= character <= "🇿"


@given(ANY_TEXT)
@example(SCRIPTS)
@example("a" + "\u0301" * 500 + "b" * 500)
def test_the_text_is_what_normalise_writes(text: str) -> None:
    found = normalise_with_offsets(text)
    assert found.text == normalise(text)
    assert len(found.text) == len(found.starts) == len(found.ends)
    assert [word.text for word in words(text)] == found.text.split()


@given(ANY_TEXT, st.data())
def test_spans_lie_in_the_text_in_order_and_cut_no_cluster(text: str, data: st.DataObject) -> None:
    found = normalise_with_offsets(text)
    assert list(found.starts) == sorted(found.starts)
    assert list(found.ends) == sorted(found.ends)
    start = data.draw(st.integers(0, len(found.text)))
    end = data.draw(st.integers(start, len(found.text)))
    first, last = found.original(start, end)
    assert 0 <= first <= last <= len(text)
    if found.text[start:end].strip():
        assert first < last
        assert last == len(text) or not unicodedata.category(text[last]).startswith("M")
        assert first < 2 or text[first - 1] != "\u200d" or not (is_emoji(text[first - 2]) and is_emoji(text[first]))


@given(ANY_TEXT)
def test_what_a_word_is_cut_from_normalises_to_it(text: str) -> None:
    for word in words(text):
        again = normalise(text[word.start : word.end])
        # A sigma is lowered by what stands around it; one cluster may make several words.
        assert word.text.replace("ς", "σ") in again.replace("ς", "σ")


def test_every_character_keeps_its_place_among_others() -> None:
    assigned = [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) not in ("Cn", "Co")]
    text = " ".join(f"a{character}b" for character in assigned)
    found = normalise_with_offsets(text)
    assert found.text == normalise(text)
    for character in assigned:  # what composes with a letter before it is cut with that letter
        parts = unicodedata.decomposition(character).split()
        if len(parts) == 2 and "<" not in parts[0]:
            base, mark = (chr(int(part, 16)) for part in parts)
            assert {(word.start, word.end) for word in words(base + mark)} <= {(0, 2)}, (base, mark)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Où est ?", [("ou", "Où"), ("est", "est"), ("?", "?")]),
        ("Ou\u0300 est", [("ou", "Ou\u0300"), ("est", "est")]),
        ("salaaaam!!", [("salam", "salaaaam"), ("!", "!"), ("!", "!")]),
        ("«الفَاتُـــورَة»،", [("الفاتوره", "الفَاتُـــورَة")]),
        ("شيء ءاش سلامـــ", [("شي", "شيء"), ("اش", "ءاش"), ("سلام", "سلامـــ")]),
        ("merci👍🏽bzaf", [("merci", "merci"), ("👍", "👍🏽"), ("bzaf", "bzaf")]),
        (f"{FAMILY}❤️", [("👨", FAMILY), ("👩", FAMILY), ("👧", FAMILY), ("❤", "❤️")]),
        ("🇲🇦🇫🇷", [("🇲", "🇲🇦"), ("🇦", "🇲🇦"), ("🇫", "🇫🇷"), ("🇷", "🇫🇷")]),
        ("(\u202b06\u200f12\u202c)", [("0612", "06\u200f12")]),
        ("ﷲ", [("الله", "ﷲ")]),
        ("", []),
    ],
)
def test_words_as_written(written: str, expected: list[tuple[str, str]]) -> None:
    assert [(word.text, written[word.start : word.end]) for word in words(written)] == expected


def test_blanks_and_empty_spans_stand_between_words() -> None:
    text = "  fin,\n wslat "
    found = normalise_with_offsets(text)
    assert found.text == "fin wslat"
    assert found.original(3, 4) == (5, 8)
    assert found.original(4, 4) == (8, 8)
    assert found.original(9, 9) == (13, 13)
    assert words(text) == [Word("fin", 2, 5), Word("wslat", 8, 13)]
    for start, end in ((-1, 2), (3, 2), (0, 10)):
        with pytest.raises(ValueError, match="no span"):
            found.original(start, end)


@pytest.mark.parametrize("unit", ["a", "aaa ", "ـ", "e\u0301", "\u200d", "👍\u200d", "\u0301\u200d", "ﷺ", "ᅡ"])
def test_time_is_linear(unit: str) -> None:
    found = normalise_with_offsets(unit * 50_000)
    assert found.text == normalise(unit * 50_000)
    assert all(one <= other for one, other in pairwise(found.ends))
