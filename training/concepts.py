"""The table of concepts that retrieval expands words by: `python -m training.concepts`.

Which English stem a French, Arabic or Darija stem stands for is learnt from texts that mean the same: the lexicon, the
parallel sentences, the opinions, the phrases of the rules, and the general vocabulary written for retrieval. The model is
that of IBM ("Model 1", Brown et al., 1993): each word of one side was brought about by one of the other, and which by
which is found by expectation and maximisation. English stems stand for themselves, as much as the others allow: `pain`
is bread as well.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256

from servers.nlu.lexicon import FOLDER as RULES
from servers.nlu.lexicon import read_lexicon as read_rules
from servers.rag.lexical.concepts import TABLE, Translations, write_table
from servers.rag.lexical.words import stem, words
from training.corpus import CORPORA, read_lexicon, read_opinions, read_parallel

Pair = tuple[Sequence[str], Sequence[str]]  # stems of a text, and of an English one that means the same
Sources = defaultdict[str, defaultdict[str, float]]

VOCABULARY = CORPORA / "questions" / "vocabulary.tsv"
"""General words, a line for each meaning: Arabic, French and English, tabs between, synonyms parted by `|`."""

_EPOCHS = 8
_NOBODY = "\0"  # brings about the words that have no partner
_LEAST = 0.12  # share of a word's meanings, below which one is an accident
_MOST = 4
_FUNCTION = 0.02  # share of texts that a word is in from which on its commonness is worth keeping


def texts_by_meaning() -> Iterator[tuple[float, Mapping[str, Sequence[str]]]]:
    """Weight, and the texts of one meaning by language."""
    for entry in read_lexicon():
        yield 1.0, entry
    for texts in (*read_parallel(), *(opinion.texts for opinion in read_opinions())):
        yield 1.0, {language: (text,) for language, text in texts.items()}
    for phrases in read_rules().concepts.values():
        yield 0.2, phrases
    for line in VOCABULARY.read_text("utf-8").splitlines():
        cells = [tuple(filter(None, map(str.strip, cell.split("|")))) for cell in line.split("\t")]
        yield 3.0, dict(zip(("ar", "fr", "en"), cells, strict=True))


def pairs() -> Iterator[tuple[float, Pair]]:
    """Weight, and stems of two texts, the second in English; English texts stand beside themselves."""
    for weight, texts in texts_by_meaning():
        english = [stems(text) for text in texts["en"]]
        for phrases in texts.values():
            foreign = [stems(text) for text in phrases]
            share = weight / (len(foreign) * len(english)) ** 0.5
            for left in foreign:
                for right in english:
                    if left and right:
                        yield share, (left, right)


def stems(text: str) -> list[str]:
    """The stems of a text's words."""
    return [stem(word) for word in words(text)]


def train(weighted: Sequence[tuple[float, Pair]]) -> dict[str, dict[str, float]]:
    """Stem → English stem → probability that it stands for it; what stands for nothing has no row."""
    chances: Sources = defaultdict(lambda: defaultdict(lambda: 1.0))
    for _ in range(_EPOCHS):
        counts: Sources = defaultdict(lambda: defaultdict(float))
        for weight, (foreign, english) in weighted:
            for target in english:
                by = [chances[source][target] for source in (_NOBODY, *foreign)]
                total = sum(by)
                for source, chance in zip((_NOBODY, *foreign), by, strict=True):
                    counts[source][target] += weight * chance / total
        chances = defaultdict(lambda: defaultdict(float))
        for source, targets in counts.items():
            total = sum(targets.values())
            chances[source].update({target: count / total for target, count in targets.items()})
    return {source: dict(targets) for source, targets in chances.items() if source != _NOBODY}


def pruned(chances: Mapping[str, Mapping[str, float]]) -> Translations:
    """What is likely enough to be kept, the likeliest first."""
    kept: dict[str, dict[str, float]] = {}
    for source, targets in sorted(chances.items()):
        best = sorted(targets.items(), key=lambda item: (-item[1], item[0]))[:_MOST]
        likely = {target: round(chance, 2) for target, chance in best if chance >= _LEAST}
        if likely:
            kept[source] = likely
    return kept


def commonness(texts: Iterable[Sequence[str]]) -> dict[str, float]:
    """Share of texts that hold a stem, of those that many do."""
    held: Counter[str] = Counter()
    total = 0
    for found in texts:
        held.update(set(found))
        total += 1
    return {word: round(count / total, 3) for word, count in sorted(held.items()) if count / total >= _FUNCTION}


def digest() -> str:
    """Tells the corpora that the table is learnt from from any others."""
    folders = (CORPORA / name for name in ("lexicon", "opinions", "parallel"))
    files = [file for folder in folders for file in sorted(folder.glob("*.tsv"))]
    found = sha256()
    for file in (*files, RULES / "concepts.tsv", VOCABULARY):
        found.update(sha256(file.read_bytes()).digest())
    return found.hexdigest()


def main() -> None:
    """Writes the table."""
    weighted = list(pairs())
    sentences = [*read_parallel(), *(opinion.texts for opinion in read_opinions())]
    common: dict[str, float] = {}
    for language in sentences[0]:
        for word, share in commonness(stems(texts[language]) for texts in sentences).items():
            common[word] = max(share, common.get(word, 0.0))
    write_table(digest(), pruned(train(weighted)), common, TABLE)


if __name__ == "__main__":
    main()
