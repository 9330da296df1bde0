"""Personal data in a text: where it stands, of what kind, and its normalised value.

Every pattern is bounded or guarded by a look-behind, so that the time is linear in the length of the text. Cards and
IBAN must pass their check digits, and foreign phone numbers be numbers of their country; a Moroccan RIB is taken by its
24 digits alone, a Moroccan phone number by its ten, because people mistype their own and they are still theirs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

import phonenumbers
from stdnum import iban, luhn

from servers.kit.text.normalise import ascii_digits
from servers.kit.text.person_names import find_names


class Kind(StrEnum):
    """Kinds of personal data."""

    EMAIL = "email"
    IBAN = "iban"
    RIB = "rib"
    CARD = "card_number"
    PHONE = "phone"
    CIN = "cin"
    PERSON = "person"


class Finding(NamedTuple):
    """`text[start:end]` is personal data of this kind, a `Kind` or what a tenant says is one; `value` is its normalised form."""

    kind: str
    value: str
    start: int
    end: int


_SEPARATOR = r"[ .\-/\u00a0\u2011\u202f]"
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}[^\W\d_]{2,24}(?![^\W_])")
_IBAN_START = re.compile(r"(?<![^\W_])[A-Za-z]{2}[0-9]{2}(?=[ -]?[A-Za-z0-9])")
_IBAN_REST = re.compile(r"(?:[ -]?[A-Za-z0-9]){11,30}")
_RIB = re.compile(rf"(?<![0-9])[0-9](?:{_SEPARATOR}?[0-9]){{23}}(?![0-9])")
_DIGITS = re.compile("[0-9]+")
_DIGIT_GROUPS = re.compile(rf"[0-9](?:{_SEPARATOR}?[0-9]){{12,}}")
_CARD_LENGTHS = (16, 15, 19, 18, 17, 14, 13)  # the common ones first
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
_UNLISTED_IBAN_LENGTHS = {"MA": 28, "DZ": 26}  # countries that the registry of IBAN formats does not have


def find(text: str) -> list[Finding]:
    """Personal data in the text, in order, without overlaps; offsets are code points."""
    taken = bytearray(len(text))
    findings: list[Finding] = []
    for finding in _candidates(text):
        if taken.find(1, finding.start, finding.end) < 0:
            taken[finding.start : finding.end] = b"\1" * (finding.end - finding.start)
            findings.append(finding)
    return sorted(findings, key=lambda finding: finding.start)


def _candidates(text: str) -> Iterator[Finding]:
    """What every search claims, the longest and surest kinds first."""
    plain = ascii_digits(text)
    if "@" in plain:
        yield from _emails(plain)
    if sum(map(plain.count, "0123456789")) >= _FEWEST_DIGITS:
        for search in (_ibans, _ribs, _phones, _cards, _identity_cards):
            yield from search(plain)
    for name in find_names(text):
        yield Finding(Kind.PERSON, *name)


def _emails(text: str) -> Iterator[Finding]:
    for match in _EMAIL.finditer(text):
        yield Finding(Kind.EMAIL, match[0].lower(), *match.span())


def _ibans(text: str) -> Iterator[Finding]:
    for match in _IBAN_START.finditer(text):
        rest = _IBAN_REST.match(text, match.end())
        if rest and (end := _iban_end(match[0], text, rest.start(), rest.end())):
            yield Finding(Kind.IBAN, _alphanumeric(text[match.start() : end]).upper(), match.start(), end)


def _iban_end(head: str, text: str, start: int, end: int) -> int | None:
    """Where an account that begins with `head` ends: what follows it may look like a part of it."""
    tail = int("".join(str(int(character, 36)) for character in head))
    remainder = 0  # of what was read, modulo 97: the check digits tell at each place at once
    for place in range(start, end):
        character = text[place]
        if character not in " -":
            value = int(character, 36)
            remainder = (remainder * (100 if value > 9 else 10) + value) % 97
            if (remainder * 1_000_000 + tail) % 97 == 1 and _is_iban(head + text[start : place + 1]):
                return place + 1
    return None


def _is_iban(written: str) -> bool:
    value = _alphanumeric(written).upper()
    return len(value) == _UNLISTED_IBAN_LENGTHS.get(value[:2]) or iban.is_valid(value)


def _ribs(text: str) -> Iterator[Finding]:
    for match in _RIB.finditer(text):
        yield Finding(Kind.RIB, _alphanumeric(match[0]), *match.span())


def _cards(text: str) -> Iterator[Finding]:
    """Groups of digits that together are a card: a quantity may stand before it, its expiry behind it."""
    for run in _DIGIT_GROUPS.finditer(text):
        groups = [match.span() for match in _DIGITS.finditer(text, *run.span())]
        place = 0
        while place < len(groups):
            end = _card_end(text, groups, place)
            if end is not None:
                start = groups[place][0]
                yield Finding(Kind.CARD, _alphanumeric(text[start : groups[end][1]]), start, groups[end][1])
            place = place + 1 if end is None else end + 1


def _card_end(text: str, groups: Sequence[tuple[int, int]], first: int) -> int | None:
    """Index of the last group of the card that begins with the group `first`."""
    if text[groups[first][0]] not in "23456":
        return None
    digits = ""
    ends = {}
    for place in range(first, len(groups)):
        digits += text[slice(*groups[place])]
        if len(digits) > max(_CARD_LENGTHS):
            break
        ends[len(digits)] = place
    fits = (length for length in _CARD_LENGTHS if length in ends and luhn.is_valid(digits[:length]))
    return ends.get(next(fits, 0))


def _phones(text: str) -> Iterator[Finding]:
    for match in _MOROCCAN_PHONE.finditer(text):
        yield Finding(Kind.PHONE, f"+212{_alphanumeric(match[1])}", *match.span())
    place = 0
    while foreign := _PHONE.search(text, place):
        end = _phone_end(text, *foreign.span(1))
        if end is not None:
            yield Finding(Kind.PHONE, f"+{_alphanumeric(text[foreign.start(1) : end])}", foreign.start(), end)
        place = foreign.start() + 1 if end is None else end


def _phone_end(text: str, start: int, end: int) -> int | None:
    """Where the foreign number ends that begins at `start`: its last groups of digits may be none of it."""
    for group in reversed(list(_DIGITS.finditer(text, start, end))):
        if _is_phone(f"+{_alphanumeric(text[start : group.end()])}"):
            return group.end()
    return None


def _is_phone(number: str) -> bool:
    """Whether it is a number of its country, that somebody may have."""
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:  # no such country, or far too short
        return False


def _identity_cards(text: str) -> Iterator[Finding]:
    for match in _NAMED_CIN.finditer(text):
        yield Finding(Kind.CIN, _alphanumeric(match[1]).upper(), *match.span(1))
    for match in _CIN.finditer(text):
        if not _REFERENCE_BEFORE.search(text[max(0, match.start() - 32) : match.start()]):
            yield Finding(Kind.CIN, match[0].upper(), *match.span())


def _alphanumeric(text: str) -> str:
    return "".join(character for character in text if character.isalnum())
