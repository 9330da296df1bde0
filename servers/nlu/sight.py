"""What the models get to see of a message: its words, without what says nothing of the language, the wish or the mood.

A customer's number or name is blanked, as are the masks of stored texts; digits would look like Arabizi. Emoji are
blanked too: the same 😂 laughs with the shop and at it, so the words decide. Offsets stay those of the message.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from servers.kit.text import personal_data

_MASK = re.compile(r"\[[a-z][a-z0-9_.-]{0,99}(?::[a-p]{12})?\]")
_EMOJI = re.compile("[\u2600-\u27bf\u2b00-\u2bff\ufe0f\u200d\u20e3\U0001f000-\U0001faff\U000e0020-\U000e007f]")


def seen(text: str, findings: Sequence[personal_data.Finding] | None = None) -> str:
    """The text with blanks in the place of what is not looked at; `findings` are its personal data, if known already."""
    if findings is None:
        findings = personal_data.find(text)
    if findings:
        rest = list(text)
        for finding in findings:
            rest[finding.start : finding.end] = " " * (finding.end - finding.start)
        text = "".join(rest)
    if "[" in text:
        text = _MASK.sub(_blank, text)
    return text if text.isascii() else _EMOJI.sub(" ", text)


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])
