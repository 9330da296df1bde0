"""What SalamBot is held against: peers that are installed (the extra `dev`), each with the rule it is used by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from servers.commands.evaluation.samples import Problem, Task

Answer = Callable[[Sequence[str]], list[str]]

_SERVED = ("fr", "ar", "en")
_RULE = (
    "fr, en and ar are what it says they are; any other language is Darija, in Latin or in Arabic letters as most of its "
    "letters are"
)


@dataclass(frozen=True, slots=True)
class Baseline:
    """`prepare` loads or trains it, which may take a while, and gives the function that labels texts."""

    name: str
    rule: str
    prepare: Callable[[], Answer]


def baselines_for(problem: Problem) -> Iterator[Baseline]:
    """The baselines that are installed."""
    if problem.task is Task.LANGUAGE:
        if find_spec("py3langid"):
            yield Baseline("py3langid", _RULE, py3langid)
        if find_spec("lingua"):
            yield Baseline("lingua", f"all its languages; {_RULE}", lingua)
    elif problem.examples:
        if find_spec("sklearn"):
            rule = "TF-IDF of 1 and 2 words and of 2 to 5 characters, LinearSVC; out of scope is a class like others"
            texts, labels = zip(*((example.text, example.label) for example in problem.examples), strict=True)
            yield Baseline("scikit-learn", rule, lambda: linear(texts, labels))
    else:
        ((most, _),) = Counter(sample.label for sample in problem.samples).most_common(1)
        yield Baseline(
            "majority", f"always `{most}`, the most frequent label", lambda: lambda texts: [most] * len(texts)
        )


def py3langid() -> Answer:
    """Labels texts by py3langid."""
    import py3langid  # type: ignore[import-untyped]

    return lambda texts: [_served(py3langid.classify(text)[0], text) for text in texts]


def lingua() -> Answer:
    """Labels texts by lingua, with the models of all its languages (1 GB) at its best accuracy."""
    from lingua import LanguageDetectorBuilder

    detector = LanguageDetectorBuilder.from_all_languages().with_preloaded_language_models().build()

    def answer(texts: Sequence[str]) -> list[str]:
        detected = (detector.detect_language_of(text) for text in texts)
        return [
            _served(language.iso_code_639_1.name.lower() if language is not None else "", text)
            for language, text in zip(detected, texts, strict=True)
        ]

    return answer


def linear(texts: Sequence[str], labels: Sequence[str]) -> Answer:
    """Labels texts by a linear classifier trained on these: scikit-learn's strongest simple one."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # type: ignore[import-untyped]
    from sklearn.pipeline import make_pipeline, make_union  # type: ignore[import-untyped]
    from sklearn.svm import LinearSVC  # type: ignore[import-untyped]

    features = make_union(
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True),
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
    )
    pipeline = make_pipeline(features, LinearSVC())
    pipeline.fit(texts, labels)
    return lambda asked: [str(label) for label in pipeline.predict(asked)]


def _served(code: str, text: str) -> str:
    """The label of a text in a language given by its ISO 639-1 code; see `_RULE`."""
    if code in _SERVED:
        return code
    arabic = sum("\u0600" <= character <= "\u06ff" for character in text)
    return "darija_arabic" if 2 * arabic > sum(map(str.isalpha, text)) else "darija_arabizi"
