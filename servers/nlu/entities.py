"""Entities: what a message names, with code-point offsets into the text as it was written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from servers.kit.text.normalise import ascii_digits
from servers.kit.text.personal_data import Finding


class Mention(NamedTuple):
    """`text[start:end]` names something of this type; `value` is its normalised form."""

    type: str
    value: str
    start: int
    end: int


_URL = re.compile(r"(?<![\w@.])(?:https?://|www\.)[^\s<>\"'«»]{3,}", re.IGNORECASE)
_URL_END = ".,;:!?)]}؟،"

_CURRENCIES = {
    "MAD": r"dhs?|mad|dirhams?|drahem|drahm|درهم|دراهم|الدرهم|درهما|د\.م\.?",
    "RYAL": r"ryal|rial|riyal|rialat|ريال|ريالات",
    "EUR": r"€|euros?|eur|أورو|اورو|يورو",
    "USD": r"\$|usd|dollars?|دولار",
}
_NUMBER = r"[0-9]{1,3}(?:[ .,\u00a0\u202f][0-9]{3})+(?:[.,][0-9]{1,2})?|[0-9]{1,9}(?:[.,][0-9]{1,2})?"
_CURRENCY = "|".join(f"(?P<{code}>{words})" for code, words in _CURRENCIES.items())
_AMOUNT = re.compile(rf"(?<![\w.,/-])(?P<number>{_NUMBER})[ \u00a0\u202f]?(?:{_CURRENCY})(?!\w)", re.IGNORECASE)
_PREFIXED_AMOUNT = re.compile(
    rf"(?P<EUR>€)[ \u00a0]?(?P<number>{_NUMBER})(?![\w])|(?P<USD>\$)[ \u00a0]?(?P<usd>{_NUMBER})(?!\w)"
)
_RYALS_PER_DIRHAM = 20

_REFERENCE_WORDS = {
    "invoice_number": r"factur[ea]s?|lfactur[ea]|fatora|lfatora|invoice|bill|(?:ال|ل)?فاتور[ةه]|(?:ال|ل)?فاكتور[ةه]?",
    "ticket_number": r"tickets?|r[ée]clamation|dossier|complaint|تذكرة|شكاية|الشكاية|دوسي|الدوسي",
    "account_number": r"compte|contra[t]?|contrat|account|contract|l?kontra|حساب|الحساب|العقد|عقد|الكونطرا|كونطرا",
    "order_number": r"command[ea]?s?|comande|cmd|lcommande|order|colis|lcolis|suivi|tracking|livraison|(?:ال)?طلبي[ةه]|(?:ال)?طلب"
    r"|(?:ال|ل)?كوموند|(?:ال|ل)?كوماند|(?:ال|ل)?كومند|الكولي|كولي|الشحنة",
}
_LINK = r"(?:[ :#.,\-]{0,3}(?:n[°ºo]|num[ée]ro|num|nr|no|number|nmra|ra9m|raqm|رقم|نمرة|dyal|dial|ديال|ref|id))?[ :#.\-]{0,3}"
_REFERENCE = re.compile(
    "|".join(
        rf"(?<!\w)(?:{words}){_LINK}(?P<{name}>[A-Za-z]{{0,5}}-?[0-9][A-Za-z0-9\-/]{{2,24}})(?![\w])"
        for name, words in _REFERENCE_WORDS.items()
    ),
    re.IGNORECASE,
)
_CODE = re.compile(
    r"(?<!\w)(?:(?P<invoice_number>(?:fac|fact|inv|bill)-?[0-9][0-9\-/]{2,20})|(?P<ticket_number>(?:tkt|inc|ticket)-?[0-9][0-9\-/]{2,20})"
    r"|(?P<order_number>(?:cmd|ord|order|po)-?[0-9][0-9\-/]{2,20}|(?<=\#)[0-9]{3,20}))(?!\w)",
    re.IGNORECASE,
)


def find_entities(text: str, personal: Sequence[Finding]) -> list[Mention]:
    """Entities of the text, in order, without overlaps; `personal` is what `personal_data.find` found in it."""
    plain = ascii_digits(text)
    mentions = [Mention(str(finding.kind), finding.value, finding.start, finding.end) for finding in personal]
    for search in (_urls, _amounts, _references):
        for mention in search(plain):
            if all(mention.end <= other.start or other.end <= mention.start for other in mentions):
                mentions.append(mention)
    return sorted(mentions, key=lambda mention: mention.start)


def _urls(text: str) -> Iterator[Mention]:
    for match in _URL.finditer(text):
        url = match[0].rstrip(_URL_END)
        yield Mention("url", url, match.start(), match.start() + len(url))


def _amounts(text: str) -> Iterator[Mention]:
    for match in _AMOUNT.finditer(text):
        code = next(code for code in _CURRENCIES if match[code])
        yield Mention("amount", _amount(match["number"], code), *match.span())
    for match in _PREFIXED_AMOUNT.finditer(text):
        code = "EUR" if match["EUR"] else "USD"
        yield Mention("amount", _amount(match["number"] or match["usd"], code), *match.span())


def _amount(number: str, code: str) -> str:
    """`1 250,5` dirhams → `1250.50 MAD`; a ryal is the twentieth of a dirham."""
    whole, _, cents = re.fullmatch(r"(.*?)(?:([.,])([0-9]{1,2}))?", number, re.DOTALL).groups()  # type: ignore[union-attr]
    value = Decimal(re.sub(r"\D", "", whole) + "." + (cents or "0"))
    if code == "RYAL":
        value, code = value / _RYALS_PER_DIRHAM, "MAD"
    return f"{value:.2f} {code}"


def _references(text: str) -> Iterator[Mention]:
    for pattern in (_CODE, _REFERENCE):
        for match in pattern.finditer(text):
            name = match.lastgroup or ""
            yield Mention(name, match[name].upper(), *match.span(name))
