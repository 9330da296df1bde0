"""Personal data in a text: where it stands, of what kind, and its normalised value.

Every pattern is bounded or guarded by a look-behind, so that the time is linear in the length of the text. Cards and
IBAN must pass their check digits; a Moroccan RIB is taken by its 24 digits alone, because people mistype their own
account and it is still theirs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from servers.kit.text.normalise import ascii_digits


class Kind(StrEnum):
    """Kinds of personal data."""

    EMAIL = "email"
    IBAN = "iban"
    RIB = "rib"
    CARD = "card_number"
    PHONE = "phone"
    CIN = "cin"


class Finding(NamedTuple):
    """`text[start:end]` is personal data of this kind; `value` is its normalised form."""

    kind: Kind
    value: str
    start: int
    end: int


_SEPARATOR = r"[ .\-/\u00a0\u2011\u202f]"
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}[^\W\d_]{2,24}(?![^\W_])")
_IBAN = re.compile(r"(?<![^\W_])[A-Za-z]{2}[0-9]{2}(?:[ -]?[A-Za-z0-9]){11,30}")
_RIB = re.compile(rf"(?<![0-9])[0-9](?:{_SEPARATOR}?[0-9]){{23}}(?![0-9])")
_CARD = re.compile(r"(?<![0-9])[2-6](?:[ -]?[0-9]){12,18}(?![ -]?[0-9])")
_MOROCCAN_PHONE = re.compile(
    rf"(?<![0-9])(?:(?:(?:\+|00){_SEPARATOR}?)?212{_SEPARATOR}?(?:\(0\)|0)?|0){_SEPARATOR}?"
    rf"([5-8](?:{_SEPARATOR}?[0-9]){{8}})(?![0-9])"
)
_PHONE = re.compile(
    rf"(?<![0-9+])(?:\+|00){_SEPARATOR}?([1-9](?:{_SEPARATOR}?[()]?{_SEPARATOR}?[0-9]){{6,14}})(?![0-9])"
)
_CIN = re.compile(r"(?<![\w#-])[A-Za-z]{1,2}[0-9]{5,6}(?![\w-])")
_NAMED_CIN = re.compile(
    r"(?<!\w)(?:c\.?i\.?n\.?e?|carte nationale|lacarte|البطاقة الوطنية|لاكارط)\W{0,3}([A-Za-z]{1,2} ?[0-9]{4,7})(?!\w)",
    re.I,
)
_REFERENCE_BEFORE = re.compile(
    r"(?:commande|comande|cmd|order|colis|suivi|tracking|facture|invoice|ticket|dossier|ref|référence|reference|promo|code"
    r"|طلب\w{0,4}|كوموند|فاتور\w{0,3}|رقم)\W{0,3}(?:n[°ºo]?|num\w{0,5}|number|nmra|رقم)?\W{0,3}$",
    re.I,
)  # a code behind one of these words is no identity card
_FEWEST_DIGITS = 4  # of all kinds but e-mail
_IBAN_LENGTHS = {
    "AE": 23, "AT": 20, "BE": 16, "BH": 22, "CH": 21, "DE": 22, "DZ": 26, "EG": 29, "ES": 24, "FR": 27, "GB": 22, "IE": 22,
    "IT": 27, "JO": 30, "KW": 30, "LB": 28, "LU": 20, "MA": 28, "MC": 27, "MR": 27, "NL": 18, "PL": 28, "PT": 25, "QA": 29,
    "SA": 24, "SE": 24, "TN": 24, "TR": 26,
}  # fmt: skip


def find(text: str) -> list[Finding]:
    """Personal data in the text, in order, without overlaps; offsets are code points."""
    text = ascii_digits(text)
    findings: list[Finding] = []
    if "@" not in text and sum(map(text.count, "0123456789")) < _FEWEST_DIGITS:
        return findings
    for search in (_emails, _ibans, _ribs, _cards, _phones, _identity_cards):
        for finding in search(text):
            if all(finding.end <= other.start or other.end <= finding.start for other in findings):
                findings.append(finding)
    return sorted(findings, key=lambda finding: finding.start)


def _emails(text: str) -> Iterator[Finding]:
    for match in _EMAIL.finditer(text):
        yield Finding(Kind.EMAIL, match[0].lower(), *match.span())


def _ibans(text: str) -> Iterator[Finding]:
    for match in _IBAN.finditer(text):
        length = _IBAN_LENGTHS.get(match[0][:2].upper())
        ends = [end for end, character in enumerate(match[0], start=1) if character.isalnum()]
        if length and length <= len(ends):  # what follows the account may look like a part of it
            value = _alphanumeric(match[0][: ends[length - 1]]).upper()
            if int("".join(str(int(character, 36)) for character in value[4:] + value[:4])) % 97 == 1:
                yield Finding(Kind.IBAN, value, match.start(), match.start() + ends[length - 1])


def _ribs(text: str) -> Iterator[Finding]:
    for match in _RIB.finditer(text):
        yield Finding(Kind.RIB, _alphanumeric(match[0]), *match.span())


def _cards(text: str) -> Iterator[Finding]:
    for match in _CARD.finditer(text):
        digits = _alphanumeric(match[0])
        if _passes_luhn(digits):
            yield Finding(Kind.CARD, digits, *match.span())


def _passes_luhn(digits: str) -> bool:
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(doubled) + sum(map(int, digits[-1::-2]))) % 10 == 0


def _phones(text: str) -> Iterator[Finding]:
    for match in _MOROCCAN_PHONE.finditer(text):
        yield Finding(Kind.PHONE, f"+212{_alphanumeric(match[1])}", *match.span())
    for match in _PHONE.finditer(text):
        yield Finding(Kind.PHONE, f"+{_alphanumeric(match[1])}", *match.span())


def _identity_cards(text: str) -> Iterator[Finding]:
    for match in _NAMED_CIN.finditer(text):
        yield Finding(Kind.CIN, _alphanumeric(match[1]).upper(), *match.span(1))
    for match in _CIN.finditer(text):
        if not _REFERENCE_BEFORE.search(text[max(0, match.start() - 32) : match.start()]):
            yield Finding(Kind.CIN, match[0].upper(), *match.span())


def _alphanumeric(text: str) -> str:
    return "".join(character for character in text if character.isalnum())
