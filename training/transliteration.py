"""Learns how Moroccans spell Darija in the two scripts: `python -m training.transliteration`.

The lexicon gives pairs of words. Each pair is aligned letter by letter, first by what sounds alike, then by what the
alignments before have shown to belong together (Viterbi training). The graphones are counted, and the counts are the
table that `servers.kit.text.transliteration` reads. A tenth of the Arabic words, with all their spellings, is held out
of the table: the figures printed are of that tenth.
"""

from __future__ import annotations

import math
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from difflib import SequenceMatcher
from functools import cache

from servers.kit.text.graphones import ARABIC, BOUNDARY, CONTEXT, LATIN, Counts, Graphone, History, JointModel, Side
from servers.kit.text.normalise import SOUND_OF, VOWELS, normalise, sound, spell_sounds
from servers.kit.text.transliteration import TABLE, arabic_letters, latin_letters, read_table, write_table
from training.corpus import read_lexicon

Pair = tuple[str, str]
"""A word in Latin letters, and in Arabic ones."""

ROUNDS = 6
FEWEST = 5
"""A graphone seen less often is a slip of the alignment."""
_ALIKE = 0.6
_SPARSE = 16
# Letters, the digit for them; the Arabic letter they then stand for, and the one that they might stand for instead.
_DIGITS = (("t", "6", "ط", "ت"), ("kh", "5", "خ", "ك"), ("h", "8", "ه", "ح"))
_SHAPES = ((1, 1), (2, 1), (1, 2), (1, 0), (0, 1))  # letters of a graphone: Latin, Arabic
_ARABIZI = re.compile(r"[a-z2-9]*[a-z][a-z2-9]*")
_ARTICLE = "ال"
_ARTICLED = re.compile(r"ال(?!له).{2}")  # all but the name of God


def main() -> None:
    """Writes the table, and prints how well it does on the words held out."""
    pairs = read_pairs()
    write_table(*learn({pair: weight for pair, weight in pairs.items() if not held_out(pair)}))
    print(f"{len(pairs)} pairs; {TABLE.name}: {TABLE.stat().st_size} bytes")
    for name, figure in evaluate(JointModel(*read_table()), filter(held_out, pairs)).items():
        print(f"{name}: {figure:.1%}")


def held_out(pair: Pair) -> bool:
    """Whether a pair is of the tenth that the table never saw: decided by its Arabic word, article aside."""
    return zlib.crc32(pair[ARABIC].removeprefix(_ARTICLE).encode()) % 10 == 0


def evaluate(model: JointModel, pairs: Iterable[Pair]) -> dict[str, float]:
    """Share of the words that have a spelling of the pairs first, or among the first four; letter by letter."""
    known: dict[tuple[Side, str], set[str]] = defaultdict(set)
    for pair in pairs:
        known[LATIN, pair[LATIN]].add(pair[ARABIC])
        known[ARABIC, pair[ARABIC]].add(pair[LATIN])
    sizes = Counter(side for side, _ in known)
    figures: dict[str, float] = defaultdict(float)
    for (side, word), spellings in known.items():
        found = model.spell(word, side, 4)
        for first in (1, 4):
            name = f"{sizes[side]} {('Latin', 'Arabic')[side]} words, accuracy@{first}"
            figures[name] += any(spelling in spellings for spelling in found[:first]) / sizes[side]
    return figures


def read_pairs() -> dict[Pair, int]:
    """Word pairs of the lexicon, and how much each counts: common words more, though not as much as they are common.

    Synonyms, which do not sound alike, are left out, and an article that only the Arabic side writes.
    """
    seen = Counter(
        pair
        for entry in read_lexicon()
        for arabic in entry.get("darija_arabic", ())
        for latin in entry.get("darija_arabizi", ())
        for pair in _words(latin, arabic)
    )
    return {pair: count.bit_length() for pair, count in sorted(seen.items())}


def _in_digits(pair: Pair) -> Iterator[Pair]:
    """One in `_SPARSE` of the words again, with a digit that the lexicon hardly uses."""
    latin, arabic = pair
    if zlib.crc32(latin.encode()) % _SPARSE == 0:
        for letters, digit, letter, rival in _DIGITS:
            if letters in latin and letter in arabic and rival not in arabic:
                yield latin.replace(letters, digit), arabic


def _words(latin: str, arabic: str) -> Iterator[Pair]:
    ours, theirs = latin_letters(latin).split(), [arabic_letters(word) for word in arabic.split()]
    if len(ours) == len(theirs):
        for one, other in zip(ours, theirs, strict=True):
            superfluous = _ARTICLED.match(other) and not _has_article(one, other)
            arabic_word = other.removeprefix(_ARTICLE) if superfluous else other
            if _ARABIZI.fullmatch(one) and arabic_word and _sound_alike(one, arabic_word):
                yield one, arabic_word


def _has_article(latin: str, arabic: str) -> bool:
    """Whether a word in Latin letters begins with the article that its Arabic spelling has: `lbit`, `eddar`, `ddar`."""
    bare = latin.removeprefix("e").removeprefix("a")
    if sound(normalise(arabic.removeprefix(_ARTICLE)))[:1] == "l":
        return bare.startswith("ll")
    return bare.startswith("l") or bare[:1] == bare[1:2] or bare[:2] == bare[2:4]


def _sound_alike(latin: str, arabic: str) -> bool:
    matcher = SequenceMatcher(None, sound(latin), sound(normalise(arabic)), autojunk=False)
    return matcher.ratio() >= _ALIKE


def learn(pairs: Mapping[Pair, int]) -> tuple[list[Graphone], Counts]:
    """The graphones that the pairs are made of, the usual ones first, and what followed what."""
    pairs = {other: 1 for pair in pairs for other in _in_digits(pair)} | dict(pairs)
    costs: Mapping[Graphone, float] | None = None
    for _ in range(ROUNDS):
        seen: Counter[Graphone] = Counter()
        for pair, weight in pairs.items():
            for unit in align(pair, costs):
                seen[unit] += weight
        kept = {unit: count for unit, count in seen.most_common() if count >= FEWEST}
        total = sum(kept.values())
        costs = {unit: -math.log(count / total) for unit, count in kept.items()}
    graphones = [Graphone("", ""), *kept]
    indices = {graphone: index for index, graphone in enumerate(graphones)}
    counts: dict[History, Counter[int]] = defaultdict(Counter)
    for pair, weight in pairs.items():
        if units := [indices[unit] for unit in align(pair, costs)]:
            history = (BOUNDARY,) * CONTEXT
            for follower in (*units, BOUNDARY):
                counts[history][follower] += weight
                history = (*history[1:], follower)
    return graphones, counts


def align(pair: Pair, costs: Mapping[Graphone, float] | None) -> list[Graphone]:
    """The cheapest sequence of graphones that spells both sides; none where there is no such sequence."""
    latin, arabic = pair
    best: dict[tuple[int, int], tuple[float, Graphone | None]] = {(0, 0): (0.0, None)}
    for i in range(len(latin) + 1):
        for j in range(len(arabic) + 1):
            if (i, j) not in best:
                continue
            before = best[i, j][0]
            for rows, columns in _SHAPES:
                unit = Graphone(latin[i : i + rows], arabic[j : j + columns])
                if (len(unit.latin), len(unit.arabic)) != (rows, columns):
                    continue
                cost = before + (_sound_cost(unit) if costs is None else costs.get(unit, math.inf))
                if cost < best.get((i + rows, j + columns), (math.inf, None))[0]:
                    best[i + rows, j + columns] = cost, unit
    units: list[Graphone] = []
    i, j = len(latin), len(arabic)
    while last := best.get((i, j), (0.0, None))[1]:
        units.append(last)
        i, j = i - len(last.latin), j - len(last.arabic)
    return units[::-1]


@cache
def _sound_cost(unit: Graphone) -> float:
    """What a graphone costs before anything is learnt: little where both sides sound alike."""
    latin = [SOUND_OF.get(ord(letter), letter) for letter in spell_sounds(unit.latin)]
    arabic = [SOUND_OF.get(ord(letter), letter) for letter in normalise(unit.arabic)]
    if len(latin) > 1 and len(set(unit.latin)) == 1:
        latin = latin[:1]  # a doubled letter is one sound
    if latin == arabic:
        return 1.0
    if all(letter in VOWELS for letter in (*latin, *arabic)):
        return 3.0
    return 5.0 * (len(latin) + len(arabic))


if __name__ == "__main__":
    main()
