"""What stands for itself: web addresses, and the numbers of orders, invoices, tickets and accounts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from servers.nlu.entities.mention import Mention

_URL = re.compile(r"(?<![\w@.])(?:https?://|www\.)[^\s<>\"'«»\ud800-\udfff]{3,}", re.IGNORECASE)
_URL_END = ".,;:!?)]}؟،"

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


def find_urls(text: str) -> Iterator[Mention]:
    """Web addresses, without the punctuation behind them."""
    if "://" not in text and "www." not in text.lower():  # a third of what the pattern takes
        return
    for match in _URL.finditer(text):
        url = match[0].rstrip(_URL_END)
        yield Mention("url", url, match.start(), match.start() + len(url))


def find_references(text: str) -> Iterator[Mention]:
    """Numbers behind the word for what they number, and codes that say it themselves; `text` has its digits in ASCII."""
    for pattern in (_CODE, _REFERENCE):
        for match in pattern.finditer(text):
            name = match.lastgroup or ""
            yield Mention(name, match[name].upper(), *match.span(name))
