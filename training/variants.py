"""Spelling variants, typing slips and light code-switching, as Moroccan customers produce them.

Every training epoch sees each sentence in another guise: the models learn what stays the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from random import Random

from servers.kit.text.transliteration import Script, transliterate

# Spellings that writers choose between; each letter group may become any other of its row.
_ARABIZI = (
    ("ch", "sh"), ("ou", "o", "u", "w"), ("kh", "5", "x"), ("gh", "r", "8"), ("9", "q", "k"), ("7", "h"), ("3", "a", "aa"),
    ("i", "y", "e"), ("ii", "i"), ("dyal", "dial", "dyl", "d"), ("wach", "wash", "wesh", "och"), ("bzzaf", "bzaf", "bezaf"),
    ("3afak", "3afakom", "afak", "3fak"), ("bghit", "bghyt", "bgit", "brit"), ("chhal", "ch7al", "sh7al", "chal"),
    ("fin", "feen", "fine", "fayn"), ("kifach", "kifash", "kif", "kifech"), ("salam", "slm", "slam"), ("ana", "ana", "ena"),
)  # fmt: skip
_ARABIC = (
    ("أ", "ا"), ("إ", "ا"), ("آ", "ا"), ("ة", "ه"), ("ى", "ي"), ("ث", "ت"), ("ذ", "د"), ("ظ", "ض"), ("ؤ", "و"), ("ئ", "ي"),
    ("ط", "ت"), ("گ", "ك", "ق"), ("ديال", "دال", "د"), ("بزاف", "بزااف"), ("عفاك", "عافاك", "عفاكم"), ("الله", "لله"),
)  # fmt: skip
_FRENCH = (
    ("s'il vous plaît", "svp", "stp", "s'il vous plait"), ("bonjour", "bjr", "slt", "salut"), ("pourquoi", "pk", "pq"),
    ("est-ce que", "esque", "est ce que"), ("combien", "cb", "conbien"), ("je suis", "chui", "j suis"), ("beaucoup", "bcp"),
    ("quand", "kan", "qd"), ("qu", "k"), ("é", "e"), ("è", "e"), ("ê", "e"), ("à", "a"), ("ç", "c"), ("c'est", "c", "cest"),
    ("toujours", "tjrs", "tjr"), ("jour", "jr"), ("vous", "vs"), ("mon", "mn"), ("rendez-vous", "rdv"),
)  # fmt: skip
_ENGLISH = (
    ("please", "pls", "plz"), ("you", "u"), ("your", "ur"), ("thanks", "thx", "tnx"), ("are", "r"), ("what is", "whats"),
    ("I'm", "im"), ("don't", "dont"), ("can't", "cant"), ("because", "cuz"), ("order", "ordr"), ("for", "4"), ("to", "2"),
)  # fmt: skip
_SPELLINGS: Mapping[str, Sequence[Sequence[str]]] = {
    "darija_arabizi": _ARABIZI, "darija_arabic": _ARABIC, "ar": _ARABIC, "fr": _FRENCH, "en": _ENGLISH,
}  # fmt: skip

_OPENINGS: Mapping[str, Sequence[str]] = {
    "fr": ("bonjour", "salut", "bonsoir", "svp", "bonjour à tous", "salam", "excusez-moi", "allo"),
    "ar": ("السلام عليكم", "مرحبا", "من فضلكم", "صباح الخير", "تحية طيبة", "لو سمحت"),
    "en": ("hi", "hello", "hey", "good morning", "please", "excuse me", "hi there"),
    "darija_arabizi": (
        "salam",
        "slm",
        "salam 3likom",
        "afak",
        "3afak",
        "khouya",
        "khti",
        "bonjour",
        "ssalam",
        "a khouya",
    ),
    "darija_arabic": ("سلام", "السلام عليكم", "عفاك", "خويا", "ختي", "الله يخليك", "بونجور", "السلام"),
}
_CLOSINGS: Mapping[str, Sequence[str]] = {
    "fr": ("merci", "svp", "s'il vous plaît", "merci d'avance", "cordialement", "?"),
    "ar": ("شكرا", "من فضلك", "وشكرا لكم", "جزاكم الله خيرا", "؟"),
    "en": ("thanks", "please", "thank you", "thx", "?"),
    "darija_arabizi": ("3afak", "chokran", "svp", "lah ykhlik", "merci", "3afakom", "?", "lah yrhem lwalidin"),
    "darija_arabic": ("عفاك", "شكرا", "الله يخليك", "الله يرحم الوالدين", "عفاكم", "؟"),
}

# One letter of the Arabic script as writers of Arabizi put it, and back.
_TO_LATIN: Mapping[str, Sequence[str]] = {
    "ا": ("a",), "أ": ("a", "2a"), "إ": ("i",), "آ": ("a",), "ب": ("b",), "ت": ("t",), "ث": ("t",), "ج": ("j",), "ح": ("7", "h"),
    "خ": ("kh", "5"), "د": ("d",), "ذ": ("d",), "ر": ("r",), "ز": ("z",), "س": ("s",), "ش": ("ch", "sh"), "ص": ("s",),
    "ض": ("d",), "ط": ("t",), "ظ": ("d",), "ع": ("3",), "غ": ("gh",), "ف": ("f",), "ق": ("9", "q"), "ك": ("k",), "گ": ("g",),
    "ل": ("l",), "م": ("m",), "ن": ("n",), "ه": ("h",), "ة": ("a",), "و": ("w", "ou", "o"), "ي": ("i", "y"), "ى": ("a",),
    "ء": ("2", ""), "ؤ": ("o",), "ئ": ("2", "i"), "پ": ("p",), "ڤ": ("v",), "،": (",",), "؟": ("?",),
}  # fmt: skip
_TO_ARABIC: Sequence[tuple[str, str]] = (
    ("ch", "ش"), ("sh", "ش"), ("kh", "خ"), ("gh", "غ"), ("ou", "و"), ("a", "ا"), ("b", "ب"), ("c", "ك"), ("d", "د"), ("e", ""),
    ("f", "ف"), ("g", "گ"), ("h", "ه"), ("i", "ي"), ("j", "ج"), ("k", "ك"), ("l", "ل"), ("m", "م"), ("n", "ن"), ("o", "و"),
    ("p", "ب"), ("q", "ق"), ("r", "ر"), ("s", "س"), ("t", "ت"), ("u", "و"), ("v", "ف"), ("w", "و"), ("x", "كس"), ("y", "ي"),
    ("z", "ز"), ("é", "ي"), ("è", "ي"), ("2", "ا"), ("3", "ع"), ("5", "خ"), ("7", "ح"), ("9", "ق"), ("?", "؟"),
)  # fmt: skip
_PARTNERS: Mapping[str, Sequence[str]] = {
    "darija_arabizi": ("fr", "darija_arabizi", "en"), "fr": ("darija_arabizi", "fr", "en"), "en": ("fr", "en"),
    "ar": ("ar", "darija_arabic"), "darija_arabic": ("ar", "darija_arabic"),
}  # fmt: skip
_OTHER_SCRIPT: Mapping[str, tuple[str, Script]] = {
    "darija_arabizi": ("darija_arabic", Script.ARABIC), "darija_arabic": ("darija_arabizi", Script.LATIN),
}  # fmt: skip
_LONGEST_PHRASE = 4
_PUNCTUATION = "?!.,؟،"
_NUMBER = re.compile(r"\d{2,}")
_LETTER_DIGIT = re.compile(r"(?<=[a-z])\d|\d(?=[a-z])")


def in_other_script(text: str, language: str) -> tuple[str, str] | None:
    """A text of Darija as it is most probably spelt in the other script, and its language then; None for other languages."""
    if (other := _OTHER_SCRIPT.get(language)) is None:
        return None
    language, script = other
    return transliterate(text, script), language


class Variants:
    """Makes variants; the same seed makes the same ones. `lexicon` (see `corpus`) is what words are switched by."""

    def __init__(self, seed: int, lexicon: Sequence[Mapping[str, Sequence[str]]] = ()) -> None:
        self._seed, self._random = seed, Random(seed)
        self._entries: dict[str, dict[str, list[Mapping[str, Sequence[str]]]]] = {}
        for entry in lexicon:
            for language, phrases in entry.items():
                for phrase in phrases:
                    self._entries.setdefault(language, {}).setdefault(phrase.lower(), []).append(entry)

    def guises(self, text: str, language: str, count: int) -> list[str]:
        """So many variants of the text, the same ones whatever was varied before."""
        self._random.seed(f"{self._seed} {text}")
        return [self.vary(text, language)[0] for _ in range(count)]

    def vary(self, text: str, language: str) -> tuple[str, str]:
        """Another guise of the text, and its language: Darija may change its script."""
        chance = self._random.random
        if chance() < 0.25:
            text, language = self._change_script(text, language)
        if chance() < 0.2:
            text = self._switch_words(text, language)
        if chance() < 0.75:
            text = self._respell(text, language)
        if chance() < 0.3:
            text = _NUMBER.sub(self._other_number, text)
        if chance() < 0.3:
            text = self._slip(text)
        if chance() < 0.2:
            text = f"{self._random.choice(_OPENINGS[language])}{self._random.choice((' ', ', ', ' '))}{text}"
        if chance() < 0.15:
            text = f"{text} {self._random.choice(_CLOSINGS[language])}"
        if chance() < 0.3:
            text = text.lower().rstrip("?!. ")
        return text, language

    def _respell(self, text: str, language: str) -> str:
        text = text.lower()
        for row in _SPELLINGS[language]:
            if self._random.random() < 0.35:
                spelling = self._random.choice(row)
                if spelling in text:
                    text = text.replace(spelling, self._random.choice(row))
        return text

    def _slip(self, text: str) -> str:
        """A letter lost, doubled or swapped."""
        if len(text) < 6:
            return text
        at = self._random.randrange(1, len(text) - 1)
        return self._random.choice(
            (
                text[:at] + text[at + 1 :],
                text[:at] + text[at] + text[at:],
                text[: at - 1] + text[at] + text[at - 1] + text[at + 1 :],
            )
        )

    def _other_number(self, match: re.Match[str]) -> str:
        return "".join(self._random.choice("0123456789") for _ in match[0])

    def _change_script(self, text: str, language: str) -> tuple[str, str]:
        if language == "darija_arabic":
            return "".join(self._random.choice(_TO_LATIN.get(letter, (letter,))) for letter in text), "darija_arabizi"
        if language == "darija_arabizi":
            for letters, letter in _TO_ARABIC:
                text = (
                    text.lower().replace(letters, letter)
                    if not letters.isdigit()
                    else _letter_digit(text, letters, letter)
                )
            return text, "darija_arabic"
        return text, language

    def _switch_words(self, text: str, language: str) -> str:
        """Replaces some phrases by a translation that Moroccans would mix in: French in Darija, Darija in French."""
        entries = self._entries.get(language, {})
        words, switched, at = text.split(), [], 0
        while at < len(words):
            for length in range(min(_LONGEST_PHRASE, len(words) - at), 0, -1):
                found = entries.get(" ".join(words[at : at + length]).lower().strip(_PUNCTUATION))
                if found and self._random.random() < 0.5:
                    phrases = self._random.choice(found).get(self._random.choice(_PARTNERS[language]))
                    if phrases:
                        switched.append(self._random.choice(phrases))
                        at += length
                        break
            else:
                switched.append(words[at])
                at += 1
        return " ".join(switched)


def _letter_digit(text: str, digit: str, letter: str) -> str:
    return _LETTER_DIGIT.sub(lambda match: letter if match[0] == digit else match[0], text)
