"""Times of day: `15h30`, `3pm`, `3 l3achia`, `f 10 d sbah`, `الساعة 3`, `ce matin`.

Values are `15:30`, or an interval like `12:00/18:00` for a part of the day. Where a language counts to twelve and nothing
says which half (`m3a 3`, `الساعة 3`, `at 3`), one to six are of the afternoon: nobody makes appointments for the night.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from servers.nlu.entities.grammar import Grammar, Rule, Span
from servers.nlu.entities.tokens import Tokens
from servers.nlu.entities.vocabulary import Chunk, Vocabulary, read_vocabulary

_CLASSES = (
    "part", "moment", "meridiem", "now", "this", "hour", "at", "to", "of", "past", "span", "greeting",
    "clock_word", "after", "ordinal",
)  # fmt: skip
_AFTERNOON_ENDS = 6  # the last hour of the twelve that means the afternoon where nothing is said
_NIGHT_ENDS = 4  # 3 at night is 03:00, 9 at night is 21:00
_TELLING = ("part", "moment", "now", "clock_word")


def vocabulary() -> Vocabulary:
    """The words of the clock."""
    return read_vocabulary("clock.tsv", _TELLING)


def find_times(tokens: Tokens, now: datetime) -> Iterator[Span]:
    """Times of day among the tokens; `now` says what `daba` is."""
    yield from _GRAMMAR.spans(vocabulary().chunk(tokens), now)


def _nothing(chunks: Sequence[Chunk], now: datetime) -> None:
    return None


def _value(chunks: Sequence[Chunk], now: datetime) -> str:
    return chunks[-1].concept


def _now(chunks: Sequence[Chunk], now: datetime) -> str:
    return f"{now:%H:%M}"


def _hour(chunks: Sequence[Chunk], now: datetime) -> str | None:
    """An hour in digits or words, with what says its half of the day."""
    said = {chunk.name: chunk for chunk in chunks}
    minute = int(said["past"].concept) if "past" in said else 0
    if "clock" in said:
        hours, minutes = said["clock"].concept.replace("h", ":").replace(" ", "").split(":")
        hour, minute = int(hours), int(minutes)
    elif "ordinal" in said:
        hour = int(said["ordinal"].concept)
    else:
        number = said["number"].token.number
        if number is None or number != int(number) or not 0 <= number <= 24:
            return None
        hour = int(number)
    if "meridiem" in said:
        hour = hour % 12 + int(said["meridiem"].concept) if hour <= 12 else hour
    elif "part" in said:
        hour = _in_part(hour, said["part"].concept)
    elif ("at" in said or "clock_word" in said) and 1 <= hour <= _AFTERNOON_ENDS:
        hour += 12
    return f"{hour % 24:02}:{minute:02}" if hour <= 24 else None


def _in_part(hour: int, part: str) -> int:
    if hour > 12:
        return hour
    first = int(part[:2])
    if first < 12:
        return hour % 12
    if first >= 20 and hour % 12 <= _NIGHT_ENDS:
        return hour % 12
    return hour % 12 + 12


def _office_hour(chunks: Sequence[Chunk], now: datetime) -> str | None:
    """`15h` without a word before it: a duration as likely as a time, unless it is by day."""
    number = chunks[0].token.number
    return _hour(chunks, now) if number is not None and 7 <= number <= 23 else None


_TO = frozenset({"to"})
_GRAMMAR = Grammar(
    _CLASSES,
    [
        Rule("greeting", _nothing),
        Rule("span to? (number hour | clock)", _nothing),
        Rule("clock (of? this? part | meridiem)?", _hour),
        Rule("(at | to | clock_word)? number hour? past? of? of? this? (part | meridiem)", _hour, _TO),
        Rule("this? part (at | to | clock_word)? (clock | number hour past?)", _hour),
        Rule("this? part (at | clock_word) number past?", _hour),
        Rule("clock_word (number | ordinal) past? (of? of? part)?", _hour),
        Rule("at number past? (?! of | past | hour | number | other)", _hour),
        Rule("to number hour past?", _hour, _TO),
        Rule("number hour", _office_hour),
        Rule("this? part", _value),
        Rule("moment", _value),
        Rule("now", _now),
    ],
)
