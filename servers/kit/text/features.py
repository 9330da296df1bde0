"""Texts as ids of hashed features: the input of every model, in training and in serving alike.

A text is looked at twice: as it is written (after `normalise`) and as it sounds (the consonant skeleton that Latin and
Arabic spellings of one word share). From each view come the character n-grams inside words, the words, and the pairs
of neighbouring words. Each feature is hashed to an id; the models hold one row of weights for each id.

    ids = encode(["fin n9der nshouf la facture ?"])      # int32, shape (1, 256), padded with 0

The rows are as wide as the longest text asks for, but only in a few widths, so that the requests of several callers
have equal shapes and the model server can batch them. The hash is arithmetic on code points alone: the same on every
machine, in every process, in every version. `FEATURES_VERSION` changes when the ids of any text would.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from servers.kit.text.normalise import SOUND_OF, VOWELS, normalise, spell_sounds

FEATURES_VERSION: Final = 1

SPACE: Final = 1 << 17
"""Ids run from 1 to SPACE; 0 is padding."""

WIDTHS: Final = (64, 128, 192, 256, 384, 512, 1024, 2048)
"""Widths of a batch. A text with more features than the last keeps those of lowest hash: a fair sample, and the same
sample in any two texts that share them."""

_LONGEST = 5  # characters in an n-gram; the shortest has 2
_BLANK = 32
_VOWELS_END = 1 + len(VOWELS)  # vowels sound like the codes 1, 2, 3; other sounds lie in the private use area
_CONSONANTS = 0xE000

_WEIGHTS = np.array([[0x9E3779B1], [0x85EBCA6B], [0xC2B2AE35], [0x27D4EB2F], [0x165667B1]], np.uint32)
_LEFT, _RIGHT = np.uint32(0x2C1B3C6D), np.uint32(0x297A2D39)
_MIXER = np.uint32(0x7FEB352D)
_HALF = np.uint32(15)
_TO_ID = np.uint32(32 - 17)  # the upper bits are the best mixed

_Codes = NDArray[np.uint32]
_Places = NDArray[np.intp]


class _Marks(NamedTuple):
    """Where features were found: `whole[n - 2, i]` for the n-gram at i, the blanks before words and before pairs."""

    whole: NDArray[np.bool_]
    words: _Places
    pairs: _Places

    def places(self) -> _Places:
        """A position in its text for each feature."""
        return np.concatenate((self.whole.nonzero()[1], self.words, self.pairs))


def encode(texts: Sequence[str]) -> NDArray[np.int32]:
    """Ids of the features of each text: shape (len(texts), width), padded with 0, width one of `WIDTHS`. Read-only.

    A message is encoded for the reader and again for the look-up: single texts are kept for a moment.
    """
    return _encode_one(texts[0]) if len(texts) == 1 else _encode(texts)


@lru_cache(maxsize=256)
def _encode_one(text: str) -> NDArray[np.int32]:
    ids = _encode([text])
    ids.flags.writeable = False
    return ids


def _encode(texts: Sequence[str]) -> NDArray[np.int32]:
    written = [f" {normalise(text)} " for text in texts]
    heard = [spell_sounds(text) for text in written]
    codes = np.frombuffer("".join((*written, *heard, "      ")).encode("utf-32-le"), np.uint32)
    middle = sum(map(len, written))
    sounds = _sound_table()[codes[middle - 1 :]] if texts else codes
    kept = _skeleton(sounds)
    hashes, marks = _features(np.concatenate((codes[:middle], sounds[1:][kept])))
    if len(texts) == 1:
        return _pad([hashes])
    owner = np.concatenate((_owners(written), _owners(heard)[kept[: -_LONGEST - 1]]))[marks.places()]
    order = np.argsort(owner, kind="stable")
    ends = np.cumsum(np.bincount(owner, minlength=len(texts)))
    return _pad(np.split(hashes[order], ends[:-1])[: len(texts)])


def _pad(ragged: Sequence[_Codes]) -> NDArray[np.int32]:
    longest = max(map(len, ragged), default=0)
    width = next((width for width in WIDTHS if longest <= width), WIDTHS[-1])
    ids = np.zeros((len(ragged), width), np.int32)
    for row, hashes in zip(ids, ragged, strict=True):
        sample = hashes if len(hashes) <= width else np.unique(hashes)[:width]
        row[: len(sample)] = (sample >> _TO_ID) + np.uint32(1)
    return ids


def _owners(texts: Sequence[str]) -> _Places:
    """The index of the text that each character of the joined texts belongs to."""
    return np.repeat(np.arange(len(texts)), [len(text) for text in texts])


@cache
def _sound_table() -> _Codes:
    """Code of the sound of every code point."""
    table = np.arange(0x110000, dtype=np.uint32)
    consonants = sorted(set(SOUND_OF.values()) - set(VOWELS))
    for code, sound in SOUND_OF.items():
        table[code] = VOWELS.index(sound) + 1 if sound in VOWELS else _CONSONANTS + consonants.index(sound)
    return table


def _skeleton(sounds: _Codes) -> NDArray[np.bool_]:
    """Which sounds but the first are kept: those that begin a word, and consonants that repeat no sound before them."""
    before, sound = sounds[:-1], sounds[1:]
    kept: NDArray[np.bool_] = (before == _BLANK) | ((sound != before) & (sound >= _VOWELS_END))
    return kept


def _features(codes: _Codes) -> tuple[_Codes, _Marks]:
    """Hashes of all features, and where they were found.

    Single blanks part words, double blanks part texts; `_LONGEST` blanks follow the last text.
    """
    size = len(codes) - _LONGEST
    windows = np.ndarray((_LONGEST, size), np.uint32, codes, strides=(4, 4))
    hashes = (windows * _WEIGHTS).cumsum(0, np.uint32)[1:]
    hashes = (hashes ^ (hashes >> _HALF)) * _MIXER
    letters = windows != _BLANK
    whole = np.empty((_LONGEST - 1, size), np.bool_)  # n-grams that hold no blank but at their ends
    np.logical_or(letters[0], letters[1], out=whole[0])
    np.logical_and.accumulate(letters[1:-1], out=whole[1:])
    blanks = (~letters[0]).nonzero()[0]
    sums = np.add.reduceat(hashes[1] * whole[1], blanks, dtype=np.uint32)  # a word is the sum of its trigrams
    words = sums.nonzero()[0]
    lefts = words[:-1][words[1:] - words[:-1] == 1]
    pairs = sums[lefts] * _LEFT + sums[lefts + 1] * _RIGHT
    return np.concatenate((hashes[whole], sums[words], pairs)), _Marks(whole, blanks[words], blanks[lefts])
