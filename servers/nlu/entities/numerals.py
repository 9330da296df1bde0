"""Numbers as they are written: in digits with any separators, and in the words of five languages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from servers.kit.text.folding import fold


class Numeral(NamedTuple):
    """One number word, or a number in digits."""

    value: Decimal
    in_digits: bool = False


class Count(NamedTuple):
    """A number that is being read: `total` of what multipliers closed, and what goes on."""

    total: Decimal
    rest: Decimal
    in_digits: bool

    @property
    def value(self) -> Decimal:
        """What has been read is worth this much."""
        return self.total + self.rest


_WORDS: Mapping[int, str] = {
    1: "un une one wahed wa7ed wahd wa7d wahda wa7da واحد واحدة وحدة",
    2: "deux two jouj zouj joj جوج زوج اثنان اثنين إثنين",
    3: "trois three tlata tlat tleta ثلاثة تلاتة ثلاث تلات",
    4: "quatre four rab3a reb3a rb3a rb3 reb3 أربعة ربعة أربع",
    5: "cinq five khamsa khmsa 5amsa khams khems خمسة خمس",
    6: "six setta sta sett ستة ست",
    7: "sept seven seb3a sb3a sab3a سبعة سبع",
    8: "huit eight tmnya tmenya tmanya tmen ثمانية تمنية ثمان ثماني",
    9: "neuf nine ts3oud tes3oud ts3od tes3a تسعة تسعود تسع",
    10: "dix ten 3achra 3chra 3echra عشرة عشر",
    11: "onze eleven 7dach hdach حداش",
    12: "douze twelve tnach طناش تناش",
    13: "treize thirteen tletach تلطاش",
    14: "quatorze fourteen rb3tach ربعطاش",
    15: "quinze fifteen khmstach خمسطاش",
    16: "seize sixteen sttach ستاش",
    17: "seventeen sb3tach سبعطاش",
    18: "eighteen tmntach تمنطاش",
    19: "nineteen ts3tach تسعطاش",
    20: "vingt vingts twenty 3echrin 3chrin 3ishrin عشرين عشرون",
    30: "trente thirty tlatin تلاتين ثلاثين ثلاثون",
    40: "quarante forty rb3in reb3in أربعين ربعين أربعون",
    50: "cinquante fifty khamsin khmsin خمسين خمسون",
    60: "soixante sixty settin ستين ستون",
    70: "seventy seb3in sb3in سبعين سبعون",
    80: "eighty tmanin ثمانين تمانين ثمانون",
    90: "ninety tes3in ts3in تسعين تسعون",
    100: "cent cents hundred miya mya miat myat meyat مية مئة مائة ميات مئات",
    200: "mitin miytin mitayn ميتين مئتين مائتين مئتان",
    300: "tletmiya tlatmiya ثلاثمائة ثلاثمئة تلتمية",
    400: "rb3miya reb3miya أربعمائة أربعمئة ربعمية",
    500: "khamsmiya khmsmiya خمسمائة خمسمئة خمسمية",
    600: "settmiya ستمائة ستمئة ستمية",
    700: "seb3miya سبعمائة سبعمئة سبعمية",
    800: "tmenmiya ثمانمائة ثمانمئة تمنمية",
    900: "tes3miya تسعمائة تسعمئة تسعمية",
    1_000: "mille thousand alf alaf k ألف آلاف الاف",
    2_000: "alfin alfayn ألفين ألفان",
    1_000_000: "million millions mlyoun melyoun mlayen mlayn مليون ملايين",
    2_000_000: "مليونين",
}
NUMERALS: Mapping[str, Numeral] = {
    fold(word).text: Numeral(Decimal(value)) for value, words in _WORDS.items() for word in words.split()
}
"""Number words, folded."""

_MULTIPLIERS = (Decimal(1_000), Decimal(1_000_000))
_NUMBER = re.compile(r"(.*?)(?:[.,]([0-9]{1,2}))?", re.DOTALL)


def parse(digits: str) -> Decimal:
    """The worth of a number in digits: `1 250,50`, `1.250.000` and `2,5` are read; one or two digits are decimals."""
    match = _NUMBER.fullmatch(digits)
    assert match
    return Decimal(re.sub(r"[^0-9]", "", match[1]) + "." + (match[2] or "0"))


def start(numeral: Numeral) -> Count:
    """A number that begins with this word."""
    closed = numeral.value >= 1_000 and not numeral.in_digits
    return Count(*((numeral.value, Decimal(0)) if closed else (Decimal(0), numeral.value)), numeral.in_digits)


def step(count: Count, numeral: Numeral, joined: bool) -> Count | None:
    """The number with one more word, `joined` by an `and` or not; None when the word begins another number."""
    value = numeral.value
    if value in _MULTIPLIERS:
        closes = not joined and 0 < count.rest < value
        return Count(count.total + count.rest * value, Decimal(0), False) if closes else None
    if count.in_digits:
        return None
    rest = count.rest
    if value == 100 and not joined and 1 < rest < 10:
        return count._replace(rest=rest * 100)
    if value == 20 and not joined and rest % 100 == 4:  # quatre-vingt
        return count._replace(rest=rest + 76)
    if _adds(rest, value, joined):
        return count._replace(rest=rest + value)
    return None


def _adds(rest: Decimal, value: Decimal, joined: bool) -> bool:
    units, below_hundred = rest % 10, rest % 100
    if below_hundred == 0:
        return value < 100 or (rest == 0 and value < 1_000)
    if units == 0 and below_hundred >= 20:
        return value < 10 or (below_hundred in (60, 80) and value < 20)
    return joined and below_hundred < 10 and 20 <= value < 100  # خمسة وعشرين
